from dbos import DBOS


@DBOS.workflow()
async def workflow() -> str:
    DBOS.sleep(0.2)
    return "rested"
