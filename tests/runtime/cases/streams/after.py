from dbos import DBOS


@DBOS.workflow()
async def counter() -> None:
    for number in range(3):
        await DBOS.write_stream_async("numbers", number)
    await DBOS.close_stream_async("numbers")


@DBOS.workflow()
async def workflow() -> list[object]:
    counting = await DBOS.start_workflow_async(counter)
    total = 0
    async for number in DBOS.read_stream_async(counting.workflow_id, "numbers"):
        total += number
    again = [value async for value in DBOS.read_stream_async(counting.workflow_id, "numbers")]
    await counting.get_result()
    return [total, again]
