import os

from dbos import DBOS, DBOSClient


def setup() -> None:
    DBOS.register_queue("jobs", polling_interval_sec=0.1)


@DBOS.workflow()
async def job(name: str) -> str:
    await DBOS.set_event_async("stage", "started")
    answer = await DBOS.recv_async("answers", timeout_seconds=20)
    await DBOS.sleep_async(0.5)
    return f"{name}: {answer}"


async def main() -> list[str]:
    client = DBOSClient(system_database_url=os.environ["DBOS_SYSTEM_DATABASE_URL"], lazy=True)
    try:
        tidy = {"queue_name": "jobs", "workflow_name": "job", "workflow_id": "job-1"}
        handle = client.enqueue(tidy, "tidy")
        stage = client.get_event("job-1", "stage", timeout_seconds=20)
        client.send("job-1", "yes", topic="answers", idempotency_key="yes-1")
        result = handle.get_result()
        return [stage, result, *[found.status for found in client.list_workflows(name="job")]]
    finally:
        client.destroy()
