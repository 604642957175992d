from dbos import DBOS


@DBOS.workflow()
async def square(number: int) -> int:
    await DBOS.sleep_async(0.5)
    return number * number


@DBOS.workflow()
async def workflow() -> list[int]:
    handles = [await DBOS.start_workflow_async(square, number) for number in range(4)]
    return [await handle.get_result() for handle in handles]
