"""Decides which of two things that run beside each other comes first.

What runs beside each other in a workflow gets its order from the time that the database takes to answer, and from the
operating system, which starts one thread before another. Both are taken over here: what DBOS does stays as it is, only
when it goes on does not. Events are named by labels:

    3                    step 3 has drawn its number, and asks the database for what is recorded
    done 3               step 3 is recorded
    2:1                  the same of step 1 of the child workflow that is step 2
    thread ask('Bern')   a thread of asyncio.to_thread begins with this call
    result 2             step 2 started a child workflow; somebody asks whether it has a result
    got 2                this result has been noted

A hold {"2": "3"} lets the first event wait for the second one. The events of a workflow and its children are one world.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from dbos import DBOS

LONGEST_DELAY = 0.02
KILLED = 9


def world(workflow_id: str) -> str:
    """The workflow that this one and its children belong to: its id has no dash, a child's has one a generation."""
    return workflow_id.partition("-")[0]


def label(workflow_id: str, *function_id: int) -> str:
    return ":".join([*workflow_id.split("-")[1:], *map(str, function_id)])


class Pace:
    """The holds and delays of the workflows of this process; a hold lasts for `patience` seconds at most."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._holds: dict[str, dict[str, str]] = {}
        self._seeds: dict[str, str] = {}
        self._doomed: dict[str, int] = {}
        self._seen: set[tuple[str, str]] = set()
        self._vain: set[tuple[str, str]] = set()
        self._news = threading.Condition()

    def hold(self, workflow_id: str, holds: dict[str, str]) -> None:
        self._holds[workflow_id] = holds

    def delay(self, workflow_id: str, seed: str) -> None:
        """Let every event of this workflow come later, by times that follow from `seed`."""
        self._seeds[workflow_id] = seed

    def die_after(self, workflow_ids: list[str], steps: int) -> None:
        """Let this process end at once when each of these workflows has recorded so many steps; none goes further."""
        self._doomed = dict.fromkeys(workflow_ids, steps)

    def unmet(self, workflow_id: str) -> list[str]:
        """The workflow's holds that did not put anything in order: what waited in vain, or never happened."""
        with self._news:
            return [
                event
                for event in self._holds.get(workflow_id, {})
                if (workflow_id, event) not in self._seen or (workflow_id, event) in self._vain
            ]

    def install(self, dbos: DBOS) -> None:
        database = dbos._sys_db
        check, record = database.check_operation_execution, database.record_operation_result
        look, note_result = database.check_workflow_result, database.record_get_result
        submit = dbos._executor.submit

        def check_operation_execution(workflow_id: str, function_id: int, *rest: Any, **options: Any) -> Any:
            self._happens(workflow_id, label(workflow_id, function_id))
            return check(workflow_id, function_id, *rest, **options)

        def record_operation_result(outcome: Any, **options: Any) -> None:
            record(outcome, **options)
            workflow_id = outcome["workflow_uuid"]
            self._happens(workflow_id, f"done {label(workflow_id, outcome['function_id'])}")
            self._die(world(workflow_id))

        def check_workflow_result(workflow_id: str, **options: Any) -> Any:
            self._happens(DBOS.workflow_id, f"result {label(workflow_id)}")
            return look(workflow_id, **options)

        def record_get_result(workflow_id: str, *rest: Any, **options: Any) -> None:
            note_result(workflow_id, *rest, **options)
            self._happens(DBOS.workflow_id, f"got {label(workflow_id)}")

        def begin(function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
            if function.__module__.partition(".")[0] != "dbos" and function.__module__ != __name__:
                self._happens(DBOS.workflow_id, f"thread {function.__name__}({', '.join(map(repr, args))})")
            return function(*args, **options)

        def submit_paced(function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
            # asyncio.to_thread hands over functools.partial(context.run, function, *args).
            if isinstance(function, functools.partial) and function.func.__name__ == "run":
                function = functools.partial(function.func, begin, *function.args, **function.keywords)
            return submit(function, *args, **options)

        for taken_over in (
            check_operation_execution,
            record_operation_result,
            check_workflow_result,
            record_get_result,
        ):
            setattr(database, taken_over.__name__, taken_over)
        vars(dbos._executor)["submit"] = submit_paced

    def _happens(self, workflow_id: str | None, event: str) -> None:
        """Returns when it may go on: at once outside of workflows, and on the loop, which must not stand still."""
        if workflow_id is None:
            return
        of = world(workflow_id)
        with self._news:
            self._seen.add((of, event))
            self._news.notify_all()
        if on_loop():
            return
        if of in self._seeds:
            time.sleep(LONGEST_DELAY * random.Random(f"{self._seeds[of]} {event}").random())
        awaited = self._holds.get(of, {}).get(event)
        if awaited is None:
            return
        with self._news:
            if not self._news.wait_for(lambda: (of, awaited) in self._seen, self.patience):
                self._vain.add((of, event))

    def _die(self, of: str) -> None:
        """Counts a recorded step of a doomed workflow, and does not return from its last one."""
        with self._news:
            if of not in self._doomed:
                return
            self._doomed[of] -= 1
            if self._doomed[of] > 0:
                return
            if all(left <= 0 for left in self._doomed.values()):
                os._exit(KILLED)
        threading.Event().wait()


def on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
