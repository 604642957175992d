from dbos import DBOS


@DBOS.workflow()
async def errand() -> str:
    await DBOS.recv_async("go", timeout_seconds=20)
    return "back"


@DBOS.workflow()
async def workflow() -> str:
    going = DBOS.start_workflow(errand)
    DBOS.cancel_workflow(going.workflow_id)
    resumed = DBOS.resume_workflow(going.workflow_id)
    DBOS.send(going.workflow_id, "now", topic="go")
    return resumed.get_result()
