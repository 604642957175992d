"""The order workflow: reserve, pay, pack, and keep whoever watches up to date."""

from dbos import DBOS, WorkflowHandle

from shop import payments, stock
from shop.mail import send_mail
from shop.models import Order, Parcel
from shop.progress import finish, report
from shop.warehouse import warehouse


@DBOS.workflow()
async def fulfil(order: Order) -> str:
    """Take one order through the shop; the result is a line for the customer."""
    DBOS.set_event("state", "accepted")

    # Shelf by shelf: the first one that is empty ends the order.
    for line in order.lines:
        if not stock.reserve(line.sku, line.quantity):
            finish("sold out", f"no {line.sku} left")
            return f"{order.id}: {line.sku} is sold out"
    report("reserved")

    payment = DBOS.start_workflow(payments.pay, order.id, order.total)
    DBOS.write_stream(
        "progress", f"paid, {DBOS.get_event(payment.workflow_id, 'receipt')}"
    )

    # The bookkeeping runs beside the packing.
    settlement: WorkflowHandle[int] = DBOS.start_workflow(
        payments.settle,
        order.total,  # in cents
    )
    packing: list[WorkflowHandle[Parcel]] = [
        DBOS.start_workflow(warehouse.pack, order.id, line) for line in order.lines
    ]
    for _ in packing:
        parcel = DBOS.recv("parcels", timeout_seconds=10)
        if parcel is None:
            raise RuntimeError(f"{order.id}: the warehouse does not answer")
    labels = [handle.get_result().label for handle in packing]
    report("packed")

    invoice = payments.write_invoice(
        order.id,
        cents=order.total,
    )
    if settlement.get_result() != 0:
        raise RuntimeError(f"{order.id}: the books do not balance")

    letter = DBOS.enqueue_workflow(
        "outbox", send_mail, order.customer, f"{invoice}, {payment.get_result()}"
    )
    await DBOS.write_stream_async("progress", letter.get_result())
    await DBOS.close_stream_async("progress")

    DBOS.set_event("state", "shipped")
    return f"{order.id}: {len(labels)} parcels, first {labels[0]}"
