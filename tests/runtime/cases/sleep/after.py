from dbos import DBOS


@DBOS.workflow()
async def workflow() -> str:
    await DBOS.sleep_async(0.2)
    return "rested"
