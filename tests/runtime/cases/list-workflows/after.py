from dbos import DBOS


@DBOS.workflow()
async def count(number: int) -> int:
    return number


@DBOS.workflow()
async def workflow() -> list[object]:
    for number in (1, 2, 3):
        await (await DBOS.start_workflow_async(count, number)).get_result()
    newest = (await DBOS.list_workflows_async(name="count", sort_desc=True))[0].workflow_id
    steps = await DBOS.list_workflow_steps_async(newest)
    return [newest, len(steps), *[found.output for found in await DBOS.list_workflows_async(name="count")]]
