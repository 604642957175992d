from dbos import DBOS


@DBOS.workflow()
async def baker() -> None:
    await DBOS.set_event_async("oven", {"heat": 180})
    await DBOS.sleep_async(0.1)
    await DBOS.set_event_async("bread", "done")


@DBOS.workflow()
async def workflow() -> list[object]:
    baking = await DBOS.start_workflow_async(baker)
    heat = (await DBOS.get_event_async(baking.workflow_id, "oven", timeout_seconds=20))["heat"]
    bread = await DBOS.get_event_async(baking.workflow_id, "bread", timeout_seconds=20)
    await baking.get_result()
    return [heat, bread, sorted(await DBOS.get_all_events_async(baking.workflow_id))]
