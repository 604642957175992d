import time

from dbos import DBOS


@DBOS.step()
def weigh(parcel: str) -> int:
    time.sleep(0.5)
    return len(parcel)


@DBOS.workflow()
def postage(parcel: str) -> int:
    return 10 * weigh(parcel)


@DBOS.workflow()
async def workflow() -> int:
    if (price := postage("books")) > 40:
        return price
    return 0
