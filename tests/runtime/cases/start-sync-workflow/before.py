import time

from dbos import DBOS, WorkflowHandle


@DBOS.workflow()
def export(name: str) -> str:
    time.sleep(0.5)
    return f"{name}.csv"


@DBOS.workflow()
async def workflow() -> str:
    exporting: WorkflowHandle[str] = DBOS.start_workflow(export, "orders")
    return exporting.get_result()
