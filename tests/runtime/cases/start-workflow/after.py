from dbos import DBOS


@DBOS.workflow()
async def child(number: int) -> int:
    await DBOS.sleep_async(0.5)
    return number * 2


@DBOS.workflow()
async def workflow() -> int:
    handle = await DBOS.start_workflow_async(child, 21)
    return await handle.get_result()
