from dbos import DBOS, Queue

prints: Queue


def setup() -> None:
    global prints
    prints = DBOS.register_queue("prints", worker_concurrency=1, polling_interval_sec=0.1)


@DBOS.workflow()
async def render(page: int) -> str:
    await DBOS.sleep_async(0.5)
    return f"page {page}"


@DBOS.workflow()
async def workflow() -> list[str]:
    jobs = []
    for page in (1, 2):
        jobs.append(await prints.enqueue_async(render, page))
    return [await job.get_result() for job in jobs]
