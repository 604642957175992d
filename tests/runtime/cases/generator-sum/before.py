from dbos import DBOS


@DBOS.workflow()
async def measure(width: int) -> int:
    await DBOS.sleep_async(0.5)
    return width * 10


@DBOS.workflow()
async def workflow() -> int:
    handles = [DBOS.start_workflow(measure, width) for width in (1, 2, 3)]
    return sum(handle.get_result() for handle in handles)
