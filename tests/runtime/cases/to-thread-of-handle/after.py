import asyncio

from dbos import DBOS


@DBOS.workflow()
async def errand() -> str:
    return "back"


@DBOS.workflow()
async def workflow() -> str:
    handle = await DBOS.start_workflow_async(errand)
    answer = await handle.get_result()
    return answer.upper()
