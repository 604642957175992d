from dbos import DBOS


@DBOS.workflow()
async def workflow() -> str:
    await DBOS.sleep(0.2)
    return "rested"
