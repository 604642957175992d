from dbos import DBOS, Debouncer


@DBOS.workflow()
async def index(text: str) -> str:
    await DBOS.sleep_async(0.5)
    return text.upper()


indexing = Debouncer.create(index)


@DBOS.workflow()
async def workflow() -> str:
    indexing.debounce("page-1", 5.0, "draft")
    handle = indexing.debounce("page-1", 0.2, "final")
    return handle.get_result()
