import asyncio

from dbos import DBOS


@DBOS.step()
async def hand_over(parcel: str) -> str:
    if parcel == "glass":
        raise ValueError(f"{parcel} is broken")
    return f"{parcel} is delivered"


@DBOS.step()
async def refund(order: str) -> str:
    return f"{order} is paid back"


@DBOS.workflow()
async def deliver(parcel: str) -> str:
    return await hand_over(parcel)


@DBOS.workflow()
async def ship_order(order: str, first: str, second: str) -> str:
    one = await DBOS.start_workflow_async(deliver, first)
    other = await DBOS.start_workflow_async(deliver, second)
    try:
        await asyncio.gather(one.get_result(), other.get_result())
    except ValueError:
        return await refund(order)
    return "delivered"
