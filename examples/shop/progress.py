"""What whoever watches an order gets to see."""

from dbos import DBOS


def report(text: str) -> None:
    DBOS.write_stream("progress", text)


def finish(state: str, text: str) -> None:
    """The last words about an order: after them nobody listens."""
    report(text)
    DBOS.set_event("state", state)
    DBOS.close_stream("progress")
