import asyncio

from dbos import DBOS


@DBOS.step()
def weigh(parcel: str) -> int:
    return len(parcel)


async def label(parcel: str) -> str:
    await DBOS.set_event_async("weight", await asyncio.to_thread(weigh, parcel))
    return f"{parcel}: {await DBOS.get_event_async('run', 'weight')} kg"


@DBOS.workflow()
async def workflow() -> str:
    return await label("books")
