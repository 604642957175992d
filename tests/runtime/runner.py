"""Runs one case on a real DBOS with SQLite and prints, as one line of JSON, what happened.

    python runner.py MODULE [--limit SECONDS]

Every run needs a process of its own, because DBOS is one object a process. MODULE is a Python file with a
workflow called `workflow`, or a function `main`, that takes nothing; plain or a coroutine function. Its
function `setup`, if there is one, runs once DBOS is up. With `launch_on_loop = True` in it DBOS is launched
on the running loop, as a web server's start-up hook does it; else before the loop runs. The databases'
addresses come from the environment: DBOS_SYSTEM_DATABASE_URL, and APP_DATABASE_URL for the module's own
tables.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import inspect
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID

WORKFLOW_ID = "run"
TICK = 0.005


@dataclass(slots=True)
class Report:
    """What one run did.

    `outcome` is returned, raised or hung; `error` reads "Type: message". `stall_ms` is the longest time that
    the loop did not get its turn, `sql_on_loop` the number of SQL statements that ran in the loop's own
    thread; both are 0 where no loop ran. `application_version` is what DBOS makes of the workflows' source.
    `histories` holds for each workflow its name, its status and its recorded steps as [function_id, function_name,
    child_workflow_id].
    """

    outcome: str = "returned"
    result: Any = None
    error: str = ""
    stall_ms: int = 0
    sql_on_loop: int = 0
    application_version: str = ""
    histories: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self) -> None:
        sys.stdout.write(json.dumps(asdict(self)) + "\n")
        sys.stdout.flush()


class LoopProbe:
    """Takes the loop's pulse, and counts the SQL statements in the loop's thread."""

    def __init__(self) -> None:
        self.sql = 0
        self._longest = 0.0
        self._last = time.perf_counter()
        self._thread: int | None = None

    @property
    def stall_ms(self) -> int:
        """The longest pause between two beats so far, the one that still lasts included."""
        now = time.perf_counter() if self._thread else self._last
        return round(1000 * max(self._longest, now - self._last - TICK))

    async def beat(self) -> None:
        """Beat until cancelled."""
        self._last = time.perf_counter()
        self._thread = threading.get_ident()
        try:
            while True:
                await asyncio.sleep(TICK)
                self._note()
        finally:
            self._note()
            self._thread = None

    def _note(self) -> None:
        now = time.perf_counter()
        self._longest = max(self._longest, now - self._last - TICK)
        self._last = now

    def statement(self, *_: object) -> None:
        """Listener of SQLAlchemy's before_cursor_execute."""
        if threading.get_ident() == self._thread:
            self.sql += 1


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("case", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["case"] = module
    spec.loader.exec_module(module)
    return module


def launch(module: ModuleType) -> None:
    config: DBOSConfig = {
        "name": "case",
        "system_database_url": os.environ["DBOS_SYSTEM_DATABASE_URL"],
        "log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": 0.05,
    }
    DBOS(config=config)
    DBOS.launch()
    if hasattr(module, "setup"):
        module.setup()


def call(module: ModuleType) -> Any:
    if hasattr(module, "main"):
        return module.main()
    with SetWorkflowID(WORKFLOW_ID):
        return module.workflow()


async def call_on_loop(module: ModuleType, probe: LoopProbe) -> Any:
    if getattr(module, "launch_on_loop", False):
        launch(module)
    heart = asyncio.create_task(probe.beat())
    await asyncio.sleep(10 * TICK)
    try:
        if hasattr(module, "main"):
            return await module.main()
        with SetWorkflowID(WORKFLOW_ID):
            return await module.workflow()
    finally:
        heart.cancel()
        await asyncio.wait([heart])


def read_histories() -> dict[str, dict[str, Any]]:
    return {
        found.workflow_id: {
            "name": found.name,
            "status": found.status,
            "steps": [
                [step["function_id"], step["function_name"], step["child_workflow_id"]]
                for step in DBOS.list_workflow_steps(found.workflow_id)
            ],
        }
        for found in DBOS.list_workflows()
    }


def run(module: ModuleType, limit: float) -> Report:
    """Run the case. One that takes more than `limit` seconds is reported from here, and the process ends."""
    report = Report()
    probe = LoopProbe()
    sa.event.listen(sa.Engine, "before_cursor_execute", probe.statement)
    on_loop = inspect.iscoroutinefunction(getattr(module, "main", None) or module.workflow)
    if not getattr(module, "launch_on_loop", False):
        launch(module)

    def give_up() -> None:
        Report(
            outcome="hung",
            stall_ms=probe.stall_ms,
            sql_on_loop=probe.sql,
            application_version=DBOS.application_version,
        ).write()
        os._exit(0)

    watchdog = threading.Timer(limit, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        report.result = asyncio.run(call_on_loop(module, probe)) if on_loop else call(module)
    except Exception as error:  # noqa: BLE001 - what a case raises is what the test asks for
        report.outcome = "raised"
        report.error = f"{type(error).__name__}: {error}"
    watchdog.cancel()
    report.stall_ms, report.sql_on_loop = probe.stall_ms, probe.sql
    report.application_version = DBOS.application_version
    report.histories = read_histories()
    return report


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module", type=Path)
    parser.add_argument("--limit", type=float, default=60.0)
    options = parser.parse_args()
    report = run(load(options.module), options.limit)
    DBOS.destroy()
    report.write()


if __name__ == "__main__":
    main()
