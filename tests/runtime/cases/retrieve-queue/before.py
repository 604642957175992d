from dbos import DBOS


def setup() -> None:
    DBOS.register_queue("prints", polling_interval_sec=0.1)


@DBOS.workflow()
def render(page: int) -> str:
    return f"page {page}"


@DBOS.workflow()
async def workflow() -> str:
    prints = DBOS.retrieve_queue("prints")
    assert prints is not None
    job = prints.enqueue(render, 7)
    return job.get_result()
