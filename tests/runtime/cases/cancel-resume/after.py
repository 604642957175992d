from dbos import DBOS


@DBOS.workflow()
async def errand() -> str:
    await DBOS.recv_async("go", timeout_seconds=20)
    return "back"


@DBOS.workflow()
async def workflow() -> str:
    going = await DBOS.start_workflow_async(errand)
    await DBOS.cancel_workflow_async(going.workflow_id)
    resumed = await DBOS.resume_workflow_async(going.workflow_id)
    await DBOS.send_async(going.workflow_id, "now", topic="go")
    return await resumed.get_result()
