from dbos import DBOS


@DBOS.workflow()
def cool_down() -> str:
    DBOS.sleep(0.2)
    return "cold"


@DBOS.workflow()
async def workflow() -> str:
    return cool_down()
