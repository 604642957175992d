"""What the help desk sees: a client that looks at the system database from outside."""

from dbos import DBOSClient

from shop.runtime import SYSTEM_URL


class OrderStatus:
    def __init__(self) -> None:
        self._client = DBOSClient(system_database_url=SYSTEM_URL)

    async def progress(self, order_id: str) -> list[str]:
        """Everything that the order has reported so far, and what it still reports, until it is done."""
        return [value async for value in self._client.read_stream_async(order_id, "progress")]

    async def summary(self, order_id: str) -> str:
        state = await self._client.get_event_async(order_id, "state", timeout_seconds=5)
        steps = await self._client.list_workflow_steps_async(order_id)
        return f"{order_id} is {state} after {len(steps)} steps"

    def known_orders(self) -> list[str]:
        """For the command line, where nothing else waits."""
        return [found.workflow_id for found in self._client.list_workflows(name="fulfil")]

    def close(self) -> None:
        self._client.destroy()
