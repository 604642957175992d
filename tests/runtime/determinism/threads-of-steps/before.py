import asyncio

from dbos import DBOS


@DBOS.step()
def charge_card(customer: str) -> str:
    return f"{customer} has paid"


@DBOS.step()
def reserve_stock(article: str) -> str:
    return f"{article} is reserved"


@DBOS.workflow()
async def check_out(customer: str, article: str) -> list[str]:
    paid, reserved = await asyncio.gather(
        asyncio.to_thread(charge_card, customer),
        asyncio.to_thread(reserve_stock, article),
    )
    return [paid, reserved]
