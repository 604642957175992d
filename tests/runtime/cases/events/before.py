from dbos import DBOS


@DBOS.workflow()
async def baker() -> None:
    DBOS.set_event("oven", {"heat": 180})
    DBOS.sleep(0.1)
    DBOS.set_event("bread", "done")


@DBOS.workflow()
async def workflow() -> list[object]:
    baking = DBOS.start_workflow(baker)
    heat = DBOS.get_event(baking.workflow_id, "oven", timeout_seconds=20)["heat"]
    bread = DBOS.get_event(baking.workflow_id, "bread", timeout_seconds=20)
    baking.get_result()
    return [heat, bread, sorted(DBOS.get_all_events(baking.workflow_id))]
