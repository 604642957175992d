from dbos import DBOS


@DBOS.workflow()
async def clerk() -> str:
    question = await DBOS.recv_async("questions", timeout_seconds=20)
    return f"{question}? forty-two"


@DBOS.workflow()
async def workflow() -> str:
    desk = await DBOS.start_workflow_async(clerk)
    await DBOS.send_async(desk.workflow_id, "how many", topic="questions")
    return await desk.get_result()
