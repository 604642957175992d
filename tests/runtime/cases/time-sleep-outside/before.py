import time

from dbos import DBOS, SetWorkflowID


async def backoff() -> str:
    """Outside workflows `DBOS.sleep_async` would fail."""
    time.sleep(0.4)
    return "slept"


@DBOS.step()
async def fetch() -> str:
    return await backoff()


@DBOS.workflow()
async def workflow() -> list[str]:
    return [await backoff(), await fetch()]


async def main() -> list[str]:
    first = await backoff()
    with SetWorkflowID("run"):
        return [first, *await workflow()]
