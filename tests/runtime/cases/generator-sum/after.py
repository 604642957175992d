from dbos import DBOS


@DBOS.workflow()
async def measure(width: int) -> int:
    await DBOS.sleep_async(0.5)
    return width * 10


@DBOS.workflow()
async def workflow() -> int:
    handles = [await DBOS.start_workflow_async(measure, width) for width in (1, 2, 3)]
    return sum([await handle.get_result() for handle in handles])
