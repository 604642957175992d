from dbos import DBOS


@DBOS.step()
async def send_letter(customer: str) -> str:
    return f"letter to {customer}"


@DBOS.workflow()
async def write_to(names: list[str]) -> dict[str, str]:
    letters = {}
    for name in set(names):
        letters[name] = await send_letter(name)
    return letters
