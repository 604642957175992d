"""Payments: the gateway's library is synchronous, so the step that calls it is too."""

import time

from dbos import DBOS


@DBOS.step()
def charge(order_id: str, cents: int) -> str:
    """Ask the gateway for the money. It takes its time."""
    time.sleep(0.2)
    return f"receipt-{order_id}-{cents}"


@DBOS.step()
def book(account: str, cents: int) -> int:
    return cents if account == "shop" else -cents


@DBOS.workflow()
async def pay(order_id: str, cents: int) -> str:
    """Charge the customer and let everybody see the receipt."""
    receipt = charge(order_id, cents)
    DBOS.set_event("receipt", receipt)
    return receipt


@DBOS.workflow()
def settle(cents: int) -> int:
    """Book the money on both sides. A synchronous workflow: here the synchronous calls are right."""
    DBOS.sleep(0.1)  # the ledger wants a pause between two bookings
    return book("shop", cents) + book("customer", cents)


@DBOS.workflow()
def write_invoice(order_id: str, cents: int) -> str:
    DBOS.set_event("invoice", f"{order_id}: {cents / 100:.2f} EUR")
    return f"invoice-{order_id}"
