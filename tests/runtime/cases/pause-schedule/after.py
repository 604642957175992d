import asyncio
from datetime import datetime

from dbos import DBOS


@DBOS.workflow()
def tidy_up(scheduled: datetime, context: object) -> None:
    DBOS.logger.info(f"tidied up at {scheduled}")


def setup() -> None:
    DBOS.create_schedule(schedule_name="nightly", workflow_fn=tidy_up, schedule="0 3 * * *")


@DBOS.workflow()
async def workflow() -> list[str]:
    await asyncio.to_thread(DBOS.pause_schedule, "nightly")
    paused = (await DBOS.get_schedule_async("nightly"))["status"]
    await asyncio.to_thread(DBOS.resume_schedule, "nightly")
    return [paused, (await DBOS.get_schedule_async("nightly"))["status"]]
