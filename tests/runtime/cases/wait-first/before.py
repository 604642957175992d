from dbos import DBOS


@DBOS.workflow()
async def racer(name: str) -> str:
    if name == "tortoise":
        DBOS.recv("go", timeout_seconds=20)
    return name


@DBOS.workflow()
async def workflow() -> list[str]:
    race = [DBOS.start_workflow(racer, name) for name in ("tortoise", "hare")]
    winner = DBOS.wait_first(race)
    DBOS.send(race[0].workflow_id, "now", topic="go")
    return [winner.get_result(), *[racing.get_result() for racing in race]]
