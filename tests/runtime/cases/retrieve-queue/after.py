from dbos import DBOS


def setup() -> None:
    DBOS.register_queue("prints", polling_interval_sec=0.1)


@DBOS.workflow()
def render(page: int) -> str:
    return f"page {page}"


@DBOS.workflow()
async def workflow() -> str:
    prints = await DBOS.retrieve_queue_async("prints")
    assert prints is not None
    job = await prints.enqueue_async(render, 7)
    return await job.get_result()
