"""Runs the workflows of determinism/ on a real DBOS, or recovers them: `python -m runtime.recovery.runner`, in `tests`.

    run       runs every case once, under the order of its case.toml
    die       runs them all at once, under the same orders, and ends at once when each has recorded two steps
    resume    is a process that starts after one that died, and waits for the workflows that DBOS recovers then
    recover   forks every case that has been run: `before` at the step that its case.toml names, under its order;
              `after` several times, from every step in turn, by turns under its order and under delays, always others

All but `die` print a line of JSON, for each case what `Ended` says; `recover` prints a list of them. The database's
address comes from DBOS_SYSTEM_DATABASE_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import random
import sys
import time
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, get_args

from dbos import DBOS, DBOSConfig, SetWorkflowID, WorkflowHandle
from dbos._dbos import _get_dbos_instance

from runtime.recovery.case import ALL, Case, Form
from runtime.recovery.pace import Pace, label

FORCED_SECONDS = 60.0  # an order that does not come about by then is a failure of the test
TRIED_SECONDS = 0.05  # when `after` recovers: what is recorded may make the order impossible
POLL = 0.02
QUEUE = "recovery"
VERSION = "one"
OVER = {"SUCCESS", "ERROR"}
GOT = "DBOS.getResult"  # of a child whose own steps stand where it was started


@dataclass(slots=True)
class Ended:
    """How one run ended.

    `steps` are those recorded: number, name, path of the child workflow, output, error and the child's own steps.
    `unmet` names the events of its order that came in no order.
    """

    result: Any
    error: str
    steps: list[Any]
    unmet: list[str]


def load(case: Case, form: Form) -> ModuleType:
    spec = importlib.util.spec_from_file_location(case.workflow_id, case.folder / f"{form}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[case.workflow_id] = module
    spec.loader.exec_module(module)
    return module


def launch(pace: Pace) -> None:
    config: DBOSConfig = {
        "name": "recovery",
        "system_database_url": os.environ["DBOS_SYSTEM_DATABASE_URL"],
        "application_version": VERSION,
        "log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": 0.05,
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=0.05)
    pace.install(_get_dbos_instance())


def rig_dice(faces: dict[str, float]) -> None:
    """Let random.random() give what `faces` has for the workflow that calls it. Its name, which DBOS records, stays."""
    fair = random.random

    def rigged() -> float:
        return faces.get(DBOS.workflow_id or "", 0.0) or fair()

    rigged.__qualname__ = fair.__qualname__
    random.random = rigged


def steps(workflow_id: str) -> list[Any]:
    return [
        [
            step["function_id"],
            step["function_name"],
            label(step["child_workflow_id"] or ""),
            repr(step["output"]),
            repr(step["error"]),
            steps(step["child_workflow_id"]) if step["child_workflow_id"] and step["function_name"] != GOT else [],
        ]
        for step in DBOS.list_workflow_steps(workflow_id)
    ]


async def call(module: ModuleType, case: Case) -> Any:
    with SetWorkflowID(case.workflow_id):
        return await getattr(module, case.workflow)(*case.arguments)


async def call_to_the_end(module: ModuleType, case: Case, eager: bool) -> Any:
    """Run the case's workflow, and its children to their ends: they run on this loop."""
    if eager and sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    try:
        return await call(module, case)
    finally:
        while any(status not in OVER for status in await asyncio.to_thread(children, case.workflow_id)):
            await asyncio.sleep(POLL)


def children(workflow_id: str) -> list[str]:
    """How the workflow's children are."""
    return [found.status for found in DBOS.list_workflows(workflow_id_prefix=f"{workflow_id}-", load_output=False)]


def run(module: ModuleType, case: Case, pace: Pace, eager: bool) -> Ended:
    result, error = None, ""
    try:
        result = asyncio.run(call_to_the_end(module, case, eager))
    except Exception as raised:  # noqa: BLE001 - what a case raises is what the test asks for
        error = f"{type(raised).__name__}: {raised}"
    return Ended(result, error, steps(case.workflow_id), pace.unmet(case.workflow_id))


async def die(modules: list[ModuleType]) -> None:
    await asyncio.gather(*[call(module, case) for module, case in zip(modules, ALL, strict=True)])


def recover(case: Case, form: Form, pace: Pace, replays: int) -> list[WorkflowHandle[Any]]:
    """Start the case's recoveries."""
    count = len(DBOS.list_workflow_steps(case.workflow_id))
    starts = [case.fork_at] if form == "before" else [2 + turn % count for turn in range(replays)]
    handles = []
    for turn, start in enumerate(starts):
        workflow_id = case.recovery_id(turn)
        # Other starts get the order in the next round.
        if (turn + turn // count) % 2 == 0:
            pace.hold(workflow_id, case.order(form).recovery)
        else:
            pace.delay(workflow_id, workflow_id)
        with SetWorkflowID(workflow_id):
            fork = DBOS.fork_workflow(case.workflow_id, start, application_version=VERSION, queue_name=QUEUE)
        handles.append(fork)
    return handles


def ended(handle: WorkflowHandle[Any], pace: Pace) -> Ended:
    """Wait for a workflow that runs in the background, and for its children."""
    result, error = None, ""
    try:
        result = handle.get_result(polling_interval_sec=POLL)
    except Exception as raised:  # noqa: BLE001 - what a case raises is what the test asks for
        error = f"{type(raised).__name__}: {raised}"
    while any(status not in OVER for status in children(handle.workflow_id)):
        time.sleep(POLL)
    return Ended(result, error, steps(handle.workflow_id), pace.unmet(handle.workflow_id))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("form", choices=get_args(Form))
    parser.add_argument("phase", choices=["run", "die", "resume", "recover"])
    parser.add_argument("--replays", type=int, default=1)
    parser.add_argument("--eager", action="store_true", help="tasks begin when they are created, in no given order")
    options = parser.parse_args()
    form: Form = options.form
    again = options.phase in {"resume", "recover"}
    pace = Pace(TRIED_SECONDS if form == "after" and again else FORCED_SECONDS)
    modules = [load(case, form) for case in ALL]
    rig_dice({case.workflow_id: case.random[again] for case in ALL})
    for case in [] if options.eager else ALL:
        pace.hold(case.workflow_id, case.order(form).recovery if again else case.order(form).run)
    launch(pace)
    reports: dict[str, Any] = {}
    if options.phase == "run":
        for module, case in zip(modules, ALL, strict=True):
            reports[case.folder.name] = asdict(run(module, case, pace, options.eager))
    elif options.phase == "die":
        pace.die_after([case.workflow_id for case in ALL], 2)
        asyncio.run(die(modules))
    elif options.phase == "resume":
        for case in ALL:
            reports[case.folder.name] = asdict(ended(DBOS.retrieve_workflow(case.workflow_id), pace))
    else:
        rig_dice({case.recovery_id(turn): case.random[1] for case in ALL for turn in range(options.replays)})
        started = {case.folder.name: recover(case, form, pace, options.replays) for case in ALL}
        reports = {name: [asdict(ended(handle, pace)) for handle in handles] for name, handles in started.items()}
    DBOS.destroy()
    sys.stdout.write(json.dumps(reports) + "\n")


if __name__ == "__main__":
    main()
