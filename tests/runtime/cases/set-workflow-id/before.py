import time

from dbos import DBOS, SetWorkflowID


@DBOS.workflow()
def bill(customer: str) -> str:
    time.sleep(0.5)
    return f"{customer} in {DBOS.workflow_id}"


@DBOS.workflow()
async def workflow() -> str:
    with SetWorkflowID("bill-7"):
        return bill("ada")
