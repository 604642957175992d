from dbos import DBOS


@DBOS.workflow()
async def clerk() -> str:
    question = DBOS.recv("questions", timeout_seconds=20)
    return f"{question}? forty-two"


@DBOS.workflow()
async def workflow() -> str:
    desk = DBOS.start_workflow(clerk)
    DBOS.send(desk.workflow_id, "how many", topic="questions")
    return desk.get_result()
