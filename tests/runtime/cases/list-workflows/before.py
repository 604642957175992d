from dbos import DBOS


@DBOS.workflow()
async def count(number: int) -> int:
    return number


@DBOS.workflow()
async def workflow() -> list[object]:
    for number in (1, 2, 3):
        DBOS.start_workflow(count, number).get_result()
    newest = DBOS.list_workflows(name="count", sort_desc=True)[0].workflow_id
    steps = DBOS.list_workflow_steps(newest)
    return [newest, len(steps), *[found.output for found in DBOS.list_workflows(name="count")]]
