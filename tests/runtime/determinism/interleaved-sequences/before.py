import asyncio

from dbos import DBOS


@DBOS.step()
async def reserve_seat(flight: str) -> str:
    return f"{flight}/12A"


@DBOS.step()
async def issue_ticket(seat: str) -> str:
    return f"ticket for {seat}"


@DBOS.step()
async def reserve_room(hotel: str) -> str:
    return f"{hotel}/204"


@DBOS.step()
async def send_voucher(room: str) -> str:
    return f"voucher for {room}"


@DBOS.workflow()
async def book_trip(flight: str, hotel: str) -> list[str]:
    async def book_flight() -> str:
        seat = await reserve_seat(flight)
        return await issue_ticket(seat)

    async def book_hotel() -> str:
        room = await reserve_room(hotel)
        return await send_voucher(room)

    ticket, voucher = await asyncio.gather(book_flight(), book_hotel())
    return [ticket, voucher]
