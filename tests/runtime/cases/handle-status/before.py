from dbos import DBOS


@DBOS.workflow()
async def child() -> str:
    return "done"


@DBOS.workflow()
async def workflow() -> list[str]:
    handle = DBOS.start_workflow(child)
    result = handle.get_result()
    return [result, handle.get_status().status]
