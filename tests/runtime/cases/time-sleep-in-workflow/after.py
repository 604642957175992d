import time

from dbos import DBOS


@DBOS.workflow()
async def workflow() -> str:
    await DBOS.sleep_async(0.5)
    await pause()
    return "rested"


async def pause() -> None:
    await DBOS.sleep_async(0.1)
