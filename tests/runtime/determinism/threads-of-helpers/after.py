import asyncio

from dbos import DBOS


@DBOS.step()
def look_up_price(shop: str) -> str:
    return f"price in {shop}"


@DBOS.step()
def look_up_postage(shop: str) -> str:
    return f"postage from {shop}"


def ask(shop: str) -> list[str]:
    return [look_up_price(shop), look_up_postage(shop)]


@DBOS.workflow()
async def compare_offers(shops: list[str]) -> list[list[str]]:
    offers = [await asyncio.to_thread(ask, shop) for shop in shops]
    return offers
