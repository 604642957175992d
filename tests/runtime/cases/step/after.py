import asyncio
import time

from dbos import DBOS


@DBOS.step()
def fetch(page: int) -> str:
    time.sleep(0.5)
    return f"page {page}"


@DBOS.workflow()
async def workflow() -> str:
    return ", ".join([await asyncio.to_thread(fetch, page) for page in (1, 2)])
