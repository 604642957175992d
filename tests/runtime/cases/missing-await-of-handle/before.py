from dbos import DBOS


@DBOS.workflow()
async def errand(place: str) -> str:
    return f"back from {place}"


@DBOS.workflow()
async def workflow() -> str:
    handle = DBOS.start_workflow_async(errand, "town")
    first = handle.get_result()
    second = DBOS.start_workflow_async(errand, "sea").get_result()
    return f"{first}, {second}"
