import asyncio

from dbos import DBOS


@DBOS.step()
async def charge(order: str) -> str:
    return f"receipt {order}"


@DBOS.workflow()
async def workflow() -> str:
    await charge("one")
    await DBOS.sleep_async(0.1)
    await asyncio.gather(charge("two"), DBOS.set_event_async("paid", True))
    return "paid"
