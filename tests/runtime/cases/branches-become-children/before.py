import asyncio

from dbos import DBOS


@DBOS.workflow()
async def leave(town: str) -> str:
    return f"left {town}"


@DBOS.workflow()
async def arrive(town: str) -> str:
    return f"arrived in {town}"


async def travel(start: str, end: str) -> str:
    DBOS.start_workflow(leave, start)
    DBOS.start_workflow(arrive, end)
    return f"{start} to {end}"


@DBOS.workflow()
async def workflow() -> list[str]:
    return await asyncio.gather(travel("Rome", "Oslo"), travel("Bonn", "Graz"))
