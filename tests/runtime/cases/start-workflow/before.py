from dbos import DBOS


@DBOS.workflow()
async def child(number: int) -> int:
    await DBOS.sleep_async(0.5)
    return number * 2


@DBOS.workflow()
async def workflow() -> int:
    handle = DBOS.start_workflow(child, 21)
    return handle.get_result()
