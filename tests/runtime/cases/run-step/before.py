from dbos import DBOS


def double(number: int) -> int:
    return number * 2


@DBOS.workflow()
async def workflow() -> int:
    return DBOS.run_step({"name": "twice"}, double, 21)
