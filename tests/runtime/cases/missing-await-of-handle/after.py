from dbos import DBOS


@DBOS.workflow()
async def errand(place: str) -> str:
    return f"back from {place}"


@DBOS.workflow()
async def workflow() -> str:
    handle = await DBOS.start_workflow_async(errand, "town")
    first = await handle.get_result()
    second = await (await DBOS.start_workflow_async(errand, "sea")).get_result()
    return f"{first}, {second}"
