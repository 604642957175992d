from dbos import DBOS


@DBOS.step()
def roll() -> int:
    return 4


@DBOS.workflow()
async def workflow() -> int:
    rolled = await roll()
    return rolled
