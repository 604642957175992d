from dbos import DBOS


@DBOS.workflow()
async def counter() -> None:
    for number in range(3):
        DBOS.write_stream("numbers", number)
    DBOS.close_stream("numbers")


@DBOS.workflow()
async def workflow() -> list[object]:
    counting = DBOS.start_workflow(counter)
    total = 0
    for number in DBOS.read_stream(counting.workflow_id, "numbers"):
        total += number
    again = list(DBOS.read_stream(counting.workflow_id, "numbers"))
    counting.get_result()
    return [total, again]
