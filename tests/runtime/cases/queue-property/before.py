from dbos import DBOS


def setup() -> None:
    DBOS.register_queue("prints", concurrency=4, limiter={"limit": 10, "period": 2.0})


@DBOS.workflow()
async def workflow() -> list[object]:
    prints = await DBOS.retrieve_queue_async("prints")
    assert prints is not None
    await prints.set_concurrency_async(3)
    return [prints.concurrency, prints.limiter["limit"], f"{prints.worker_concurrency}"]
