from dbos import DBOS


@DBOS.workflow()
async def cook() -> None:
    DBOS.set_event("dish", "soup")


@DBOS.workflow()
async def workflow() -> str:
    cooking = DBOS.start_workflow(cook)
    menu = f"today: {DBOS.get_event(cooking.workflow_id, 'dish', timeout_seconds=20)!r}"
    cooking.get_result()
    return menu
