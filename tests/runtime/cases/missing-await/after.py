from dbos import DBOS


@DBOS.step()
async def tidy(room: str) -> str:
    return f"{room} is tidy"


@DBOS.workflow()
async def workflow() -> str:
    await DBOS.set_event_async("state", "busy")
    await tidy("kitchen")
    ended = await DBOS.sleep_async(0.1)
    if ended is not None:
        return "done"
    return "done"
