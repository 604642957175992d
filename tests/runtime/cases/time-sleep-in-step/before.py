import time

from dbos import DBOS


@DBOS.step()
async def poll(attempt: int) -> str:
    time.sleep(0.5)
    return f"done at attempt {attempt}"


@DBOS.workflow()
async def workflow() -> str:
    return await poll(1)
