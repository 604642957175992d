from dbos import DBOS


def setup() -> None:
    DBOS.register_queue("letters", polling_interval_sec=0.1)


@DBOS.workflow()
def stamp(letter: str) -> str:
    return f"{letter}, stamped"


@DBOS.workflow()
async def seal(letter: str) -> str:
    await DBOS.sleep_async(0.5)
    return f"{letter}, sealed"


@DBOS.workflow()
async def workflow() -> str:
    stamped = DBOS.enqueue_workflow("letters", stamp, "to ada").get_result()
    return DBOS.enqueue_workflow("letters", seal, stamped).get_result()
