import asyncio

from dbos import DBOS


@DBOS.step()
async def charge(order: str) -> str:
    return f"receipt {order}"


@DBOS.workflow()
async def workflow() -> str:
    await asyncio.to_thread(charge, "one")
    await asyncio.to_thread(DBOS.sleep_async, 0.1)
    await asyncio.gather(asyncio.to_thread(charge, "two"), asyncio.to_thread(DBOS.set_event_async, "paid", True))
    return "paid"
