from dbos import DBOS


@DBOS.workflow()
async def racer(name: str) -> str:
    if name == "tortoise":
        await DBOS.recv_async("go", timeout_seconds=20)
    return name


@DBOS.workflow()
async def workflow() -> list[str]:
    race = [await DBOS.start_workflow_async(racer, name) for name in ("tortoise", "hare")]
    winner = await DBOS.wait_first_async(race)
    await DBOS.send_async(race[0].workflow_id, "now", topic="go")
    return [await winner.get_result(), *[await racing.get_result() for racing in race]]
