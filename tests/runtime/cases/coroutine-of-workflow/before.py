from dbos import DBOS


@DBOS.step()
def weigh(parcel: str) -> int:
    return len(parcel)


async def label(parcel: str) -> str:
    DBOS.set_event("weight", weigh(parcel))
    return f"{parcel}: {DBOS.get_event('run', 'weight')} kg"


@DBOS.workflow()
async def workflow() -> str:
    return await label("books")
