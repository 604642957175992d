from dbos import DBOS, SetWorkflowID


@DBOS.workflow()
async def report() -> str:
    return "all well"


@DBOS.workflow()
async def workflow() -> str:
    with SetWorkflowID("report-1"):
        await DBOS.start_workflow_async(report)
    found = await DBOS.retrieve_workflow_async("report-1")
    return await found.get_result()
