import asyncio

from dbos import DBOS


@DBOS.step()
def fetch(page: int) -> str:
    return f"page {page}"


@DBOS.workflow()
async def child(number: int) -> int:
    await DBOS.sleep_async(0.1)
    return number * 2


@DBOS.workflow()
async def workflow() -> list[object]:
    handle = await DBOS.start_workflow_async(child, 4)
    page = await asyncio.to_thread(fetch, await handle.get_result())
    return [page, await child(1)]
