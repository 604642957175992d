"""What whoever watches an order gets to see."""

from dbos import DBOS


async def report(text: str) -> None:
    await DBOS.write_stream_async("progress", text)


async def finish(state: str, text: str) -> None:
    """The last words about an order: after them nobody listens."""
    await report(text)
    await DBOS.set_event_async("state", state)
    await DBOS.close_stream_async("progress")
