import asyncio

from dbos import DBOS


@DBOS.step()
async def ask_courier(parcel: str) -> str:
    return f"courier takes {parcel}"


@DBOS.step()
async def ask_post(parcel: str) -> str:
    return f"post takes {parcel}"


@DBOS.step()
async def book(offer: str) -> str:
    return f"booked: {offer}"


@DBOS.workflow()
async def send_parcel(parcel: str) -> str:
    courier = asyncio.create_task(ask_courier(parcel))
    post = asyncio.create_task(ask_post(parcel))
    done, _ = await DBOS.asyncio_wait([courier, post], return_when=asyncio.FIRST_COMPLETED)
    booking = await book(await courier if courier in done else await post)
    await courier
    await post
    return booking
