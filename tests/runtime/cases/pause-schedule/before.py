from datetime import datetime

from dbos import DBOS


@DBOS.workflow()
def tidy_up(scheduled: datetime, context: object) -> None:
    DBOS.logger.info(f"tidied up at {scheduled}")


def setup() -> None:
    DBOS.create_schedule(schedule_name="nightly", workflow_fn=tidy_up, schedule="0 3 * * *")


@DBOS.workflow()
async def workflow() -> list[str]:
    DBOS.pause_schedule("nightly")
    paused = DBOS.get_schedule("nightly")["status"]
    DBOS.resume_schedule("nightly")
    return [paused, DBOS.get_schedule("nightly")["status"]]
