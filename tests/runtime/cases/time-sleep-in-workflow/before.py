import time

from dbos import DBOS


@DBOS.workflow()
async def workflow() -> str:
    time.sleep(0.5)
    await pause()
    return "rested"


async def pause() -> None:
    time.sleep(0.1)
