import asyncio

from dbos import DBOS


@DBOS.workflow()
async def leave(town: str) -> str:
    return f"left {town}"


@DBOS.workflow()
async def arrive(town: str) -> str:
    return f"arrived in {town}"


@DBOS.workflow()
async def travel(start: str, end: str) -> str:
    await DBOS.start_workflow_async(leave, start)
    await DBOS.start_workflow_async(arrive, end)
    return f"{start} to {end}"


@DBOS.workflow()
async def workflow() -> list[str]:
    return await asyncio.gather(travel("Rome", "Oslo"), travel("Bonn", "Graz"))
