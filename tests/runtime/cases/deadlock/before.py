from dbos import DBOS

launch_on_loop = True  # as the start-up hook of a web server does


@DBOS.workflow()
async def child() -> str:
    await DBOS.sleep_async(0.1)
    return "never, if the parent waits on the child's own loop"


@DBOS.workflow()
async def workflow() -> str:
    return DBOS.start_workflow(child).get_result()
