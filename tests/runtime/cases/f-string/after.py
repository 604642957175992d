from dbos import DBOS


@DBOS.workflow()
async def cook() -> None:
    await DBOS.set_event_async("dish", "soup")


@DBOS.workflow()
async def workflow() -> str:
    cooking = await DBOS.start_workflow_async(cook)
    menu = f"today: {await DBOS.get_event_async(cooking.workflow_id, 'dish', timeout_seconds=20)!r}"
    await cooking.get_result()
    return menu
