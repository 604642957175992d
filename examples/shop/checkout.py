"""The counter: places one order, waits for it, and says thank you."""

from __future__ import annotations

from dbos import DBOS, SetWorkflowID, WorkflowHandle

from shop.mail import send_mail
from shop.models import Order
from shop.orders import fulfil


class Checkout:
    """One customer at the counter. Made at start-up: it registers the queue of outgoing mail."""

    placed: WorkflowHandle[str]

    def __init__(self) -> None:
        self.outbox = DBOS.register_queue("outbox", worker_concurrency=2, polling_interval_sec=0.2)

    async def place(self, order: Order) -> None:
        # The order's number is the workflow's: to place it twice ships it once.
        with SetWorkflowID(order.id):
            self.placed = DBOS.start_workflow(fulfil, order)

    async def wait(self) -> str:
        return self.placed.get_result()

    async def thank(self, order: Order) -> str:
        note = self.outbox.enqueue(send_mail, order.customer, "thank you")
        return note.get_result()

    async def outcome(self, order: Order) -> str:
        return DBOS.retrieve_workflow(order.id).get_status().status
