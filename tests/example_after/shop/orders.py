"""The order workflow: reserve, pay, pack, and keep whoever watches up to date."""

import asyncio

from dbos import DBOS, WorkflowHandle, WorkflowHandleAsync

from shop import payments, stock
from shop.mail import send_mail
from shop.models import Order, Parcel
from shop.progress import finish, report
from shop.warehouse import warehouse


@DBOS.workflow()
async def fulfil(order: Order) -> str:
    """Take one order through the shop; the result is a line for the customer."""
    await DBOS.set_event_async("state", "accepted")

    # Shelf by shelf: the first one that is empty ends the order.
    for line in order.lines:
        if not await asyncio.to_thread(stock.reserve, line.sku, line.quantity):
            await finish("sold out", f"no {line.sku} left")
            return f"{order.id}: {line.sku} is sold out"
    await report("reserved")

    payment = await DBOS.start_workflow_async(payments.pay, order.id, order.total)
    await DBOS.write_stream_async(
        "progress", f"paid, {await DBOS.get_event_async(payment.workflow_id, 'receipt')}"
    )

    # The bookkeeping runs beside the packing.
    settlement: WorkflowHandle[int] = await asyncio.to_thread(
        DBOS.start_workflow,
        payments.settle,
        order.total,  # in cents
    )
    packing: list[WorkflowHandleAsync[Parcel]] = [
        await DBOS.start_workflow_async(warehouse.pack, order.id, line) for line in order.lines
    ]
    for _ in packing:
        parcel = await DBOS.recv_async("parcels", timeout_seconds=10)
        if parcel is None:
            raise RuntimeError(f"{order.id}: the warehouse does not answer")
    labels = [(await handle.get_result()).label for handle in packing]
    await report("packed")

    invoice = await asyncio.to_thread(
        payments.write_invoice,
        order.id,
        cents=order.total,
    )
    if await asyncio.to_thread(settlement.get_result) != 0:
        raise RuntimeError(f"{order.id}: the books do not balance")

    letter = await DBOS.enqueue_workflow_async(
        "outbox", send_mail, order.customer, f"{invoice}, {await payment.get_result()}"
    )
    await DBOS.write_stream_async("progress", await letter.get_result())
    await DBOS.close_stream_async("progress")

    await DBOS.set_event_async("state", "shipped")
    return f"{order.id}: {len(labels)} parcels, first {labels[0]}"
