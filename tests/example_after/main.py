"""Run one order through the shop: `python main.py [ORDER_ID]`. SHOP_DATA is the folder of the databases."""

import asyncio
import sys
import uuid

from shop import runtime, stock
from shop.checkout import Checkout
from shop.models import Line, Order
from shop.status import OrderStatus


async def visit(checkout: Checkout, status: OrderStatus, order: Order) -> None:
    await checkout.place(order)
    for report in await status.progress(order.id):
        print(f"  {report}")
    print(await checkout.wait())
    print(await checkout.thank(order))
    print(await checkout.outcome(order))
    print(await status.summary(order.id))
    print(f"{await stock.stocktake()} units left")


def main() -> None:
    order_id = sys.argv[1] if len(sys.argv) > 1 else f"order-{uuid.uuid4().hex[:8]}"
    order = Order(order_id, "ada@example.com", (Line("apple", 3, 40), Line("plum", 2, 25)))

    runtime.start()
    status = OrderStatus()
    try:
        stock.fill_shelves(1000)
        stock.plan_report()
        asyncio.run(visit(Checkout(), status, order))
        print(f"known: {order_id in status.known_orders()}")
    finally:
        status.close()
        runtime.stop()


if __name__ == "__main__":
    main()
