"""The counter: places one order, waits for it, and says thank you."""

from __future__ import annotations

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync

from shop.mail import send_mail
from shop.models import Order
from shop.orders import fulfil


class Checkout:
    """One customer at the counter. Made at start-up: it registers the queue of outgoing mail."""

    placed: WorkflowHandleAsync[str]

    def __init__(self) -> None:
        self.outbox = DBOS.register_queue("outbox", worker_concurrency=2, polling_interval_sec=0.2)

    async def place(self, order: Order) -> None:
        # The order's number is the workflow's: to place it twice ships it once.
        with SetWorkflowID(order.id):
            self.placed = await DBOS.start_workflow_async(fulfil, order)

    async def wait(self) -> str:
        return await self.placed.get_result()

    async def thank(self, order: Order) -> str:
        note = await self.outbox.enqueue_async(send_mail, order.customer, "thank you")
        return await note.get_result()

    async def outcome(self, order: Order) -> str:
        return (await (await DBOS.retrieve_workflow_async(order.id)).get_status()).status
