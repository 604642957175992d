import random

from dbos import DBOS


@DBOS.step()
async def send_discount(customer: str) -> str:
    return f"discount for {customer}"


@DBOS.step()
async def send_catalogue(customer: str) -> str:
    return f"catalogue for {customer}"


@DBOS.workflow()
async def advertise(customer: str) -> str:
    if await DBOS.run_step_async(None, random.random) < 0.5:
        return await send_discount(customer)
    return await send_catalogue(customer)
