from dbos import DBOS


def double(number: int) -> int:
    return number * 2


@DBOS.workflow()
async def workflow() -> int:
    return await DBOS.run_step_async({"name": "twice"}, double, 21)
