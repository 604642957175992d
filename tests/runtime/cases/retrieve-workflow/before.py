from dbos import DBOS, SetWorkflowID


@DBOS.workflow()
async def report() -> str:
    return "all well"


@DBOS.workflow()
async def workflow() -> str:
    with SetWorkflowID("report-1"):
        DBOS.start_workflow(report)
    found = DBOS.retrieve_workflow("report-1")
    return found.get_result()
