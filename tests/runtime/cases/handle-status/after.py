from dbos import DBOS


@DBOS.workflow()
async def child() -> str:
    return "done"


@DBOS.workflow()
async def workflow() -> list[str]:
    handle = await DBOS.start_workflow_async(child)
    result = await handle.get_result()
    return [result, (await handle.get_status()).status]
