import asyncio

from dbos import DBOS


@DBOS.step()
def roll() -> int:
    return 4


@DBOS.workflow()
async def workflow() -> int:
    rolled = await asyncio.to_thread(roll)
    return rolled
