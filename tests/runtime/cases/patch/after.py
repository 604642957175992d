from dbos import DBOS


@DBOS.step()
async def new_way() -> str:
    return "new"


@DBOS.step()
async def old_way() -> str:
    return "old"


@DBOS.workflow()
async def workflow() -> str:
    return await new_way() if await DBOS.patch_async("new-way") else await old_way()
