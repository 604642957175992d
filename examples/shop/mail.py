"""Letters to customers, written from a queue."""

from dbos import DBOS


@DBOS.step()
def deliver(address: str, text: str) -> str:
    return f"to {address}: {text}"


@DBOS.workflow()
async def send_mail(address: str, text: str) -> str:
    """Deliver one letter, politely slowly."""
    await DBOS.sleep_async(0.05)
    return deliver(address, text)
