"""Runs everything in a project that can be called: its functions and the methods of its classes.

Coroutines run on a loop of the main thread, all others where no loop runs. What has to be called from within a
workflow is called from one in a second attempt.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import inspect
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from dbos import DBOS, SetWorkflowID, WorkflowStatus
from dbos._error import DBOSNonExistentWorkflowError

from runtime.projects.made_up import TEXT, CannotMakeUpError, Maker, finished
from runtime.projects.probe import Line, Probe, Seen
from runtime.projects.shortcuts import Clock, OutOfTime

CALL_SECONDS = 3.0
DRAIN_SECONDS = 1.5
RUNNING = ("PENDING", "ENQUEUED", "DELAYED")
MOST_ITEMS = 5
OPENERS = ("connect", "open", "setup", "set_up", "init", "start", "startup")
CLOSERS = ("close", "disconnect", "stop", "shutdown", "teardown")
DIFFERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|<[^<>]*(?:<[^<>]*>[^<>]*)* at 0x\w+>"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A function of the project, by its place in the source."""

    module: str
    qualname: str
    asynchronous: bool

    @property
    def name(self) -> str:
        return f"{self.module}:{self.qualname}"


@dataclass(slots=True)
class Called:
    """What became of an entry. `outcome` is returned, raised, endless, hung or skipped; `error` says why.

    `histories` are the workflows that ran, in order: name, status, names of the steps, error.
    """

    entry: str
    asynchronous: bool
    outcome: str = ""
    error: str = ""
    result: str = ""
    events: list[tuple[str, str, tuple[Line, ...], bool]] = field(default_factory=list)
    reached: list[Line] = field(default_factory=list)
    histories: list[tuple[str, str, list[str], str]] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        self.events += [(event.kind, event.what, event.lines, event.attributed) for event in seen.events]
        self.reached = sorted({*self.reached, *seen.reached})


def entries(module: str, text: str) -> Iterator[Entry]:
    """The functions at the top of a module and in its classes."""

    def among(body: list[ast.stmt], prefix: str) -> Iterator[Entry]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from among(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                if not (node.name.startswith("__") and node.name.endswith("__")):
                    yield Entry(module, prefix + node.name, isinstance(node, ast.AsyncFunctionDef))
            elif isinstance(node, (ast.If, ast.Try)):
                yield from among([*node.body, *node.orelse], prefix)

    yield from dict.fromkeys(among(ast.parse(text).body, ""))


def in_order(found: Iterable[Entry]) -> list[Entry]:
    """What opens things first, what closes them last."""

    def rank(entry: Entry) -> int:
        name = entry.qualname.rpartition(".")[2]
        return -1 if name in OPENERS else 1 if name in CLOSERS else 0

    return sorted(found, key=rank)


class Driver:
    """Calls entries of the project one after the other."""

    def __init__(self, modules: dict[str, ModuleType], probe: Probe, clock: Clock) -> None:
        self._modules = modules
        self._probe = probe
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._maker = Maker(list(modules.values()), self._loop.run_until_complete)
        self._words = sorted({key for module in modules.values() for key in _keys(module)})[:5]
        self._known: set[str] = set()
        self._runs = 0

    def call(self, entry: Entry) -> Called:
        called = Called(entry.name, entry.asynchronous)
        for in_workflow in (False, True):
            self._attempt_with_what_it_asks_for(entry, called, in_workflow)
            if called.outcome != "raised":
                break
        return called

    def _attempt_with_what_it_asks_for(self, entry: Entry, called: Called, in_workflow: bool) -> None:
        """Call it again when it lacks a workflow of some id, or knows other words than the made-up one."""
        words = iter(self._words)
        for _ in range(12):
            missing = self._attempt(entry, called, in_workflow)
            if missing:
                with SetWorkflowID(missing):
                    DBOS.start_workflow(finished, TEXT).get_result()
            elif called.outcome == "raised" and called.error == f"KeyError: {self._maker.word!r}":
                self._maker.word = next(words, TEXT)
                if self._maker.word == TEXT:
                    break
            else:
                break
        self._maker.word = TEXT

    def _attempt(self, entry: Entry, called: Called, in_workflow: bool) -> str:
        """Call it once. The id of the workflow that there has to be, if that is why it failed."""
        try:
            function = self._found(entry)
            positional, named = self._maker.arguments(function, self._modules[entry.module])
        except CannotMakeUpError as error:
            called.outcome, called.error = "skipped", f"cannot make up {error}"
            return ""
        except Exception as error:  # noqa: BLE001 - a constructor of the project, say
            called.outcome, called.error = "skipped", f"cannot make up its arguments: {_told(error)}"
            return ""
        self._known.update(status.workflow_id for status in DBOS.list_workflows())
        self._probe.take()
        self._clock.deadline = time.monotonic() + CALL_SECONDS
        missing = ""
        try:
            self._runs += 1
            with SetWorkflowID(f"run-{self._runs}"):
                if entry.asynchronous:
                    result = self._loop.run_until_complete(self._on_loop(function, positional, named, in_workflow))
                elif in_workflow:
                    _BODY[0] = lambda: _used(function(*positional, **named))
                    result = host()
                else:
                    result = _used(function(*positional, **named))
            called.outcome, called.error, called.result = "returned", "", _same(repr(result))
        except (OutOfTime, asyncio.TimeoutError):
            called.outcome, called.error = "endless", ""
        except BaseException as error:  # noqa: BLE001 - DBOS, pytest and asyncio raise some that are no `Exception`
            called.outcome, called.error = "raised", _told(error)
            if isinstance(error, DBOSNonExistentWorkflowError):
                missing = error.destination_id
        self._clock.deadline = float("inf")
        result = _BODY[0] = None  # a coroutine in it that nobody has awaited shows now
        self._drain()
        called.add(self._probe.take())
        called.histories = self._histories()
        return missing

    def _found(self, entry: Entry) -> Any:
        module = self._modules[entry.module]
        *owners, name = entry.qualname.split(".")
        found: Any = module
        for owner in owners:
            found = getattr(found, owner)
        if not owners:
            return getattr(found, name)
        static = inspect.getattr_static(found, name)
        if isinstance(static, (staticmethod, classmethod)):
            return getattr(found, name)
        if isinstance(static, property):
            owner = self._maker.instance(found)
            return lambda: getattr(owner, name)
        return getattr(self._maker.instance(found), name)

    async def _on_loop(self, function: Any, positional: list[Any], named: dict[str, Any], in_workflow: bool) -> Any:
        async def body() -> Any:
            result = function(*positional, **named)
            if inspect.isawaitable(result):
                result = await result
            if inspect.isasyncgen(result):
                return [item async for item in _first(result)]
            if hasattr(result, "__aenter__") and hasattr(result, "gen"):
                async with result as value:
                    return value
            return result

        _BODY[0] = body
        call = host_on_loop() if in_workflow else body()
        result = await asyncio.wait_for(call, CALL_SECONDS)
        for _ in range(20):  # what it leaves behind
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if not others:
                break
            await asyncio.wait(others, timeout=0.02)
        return result

    def _drain(self) -> None:
        async def end() -> None:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        others = asyncio.all_tasks(self._loop)
        if others:
            self._loop.run_until_complete(asyncio.wait_for(end(), 1))
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:  # the workflows that it has started and does not wait for
            if all(status.status not in RUNNING for status in self._new_workflows()):
                break
            self._loop.run_until_complete(asyncio.sleep(0.01))
        gc.collect()

    def _new_workflows(self) -> list[WorkflowStatus]:
        return [status for status in DBOS.list_workflows() if status.workflow_id not in self._known]

    def _histories(self) -> list[tuple[str, str, list[str], str]]:
        return [
            (
                "host" if status.name.startswith("host") else status.name,
                status.status,
                [step["function_name"] for step in DBOS.list_workflow_steps(status.workflow_id)],
                _told(status.error) if status.error else "",
            )
            for status in self._new_workflows()
            if status.name != finished.__qualname__
        ]


_BODY: list[Any] = [None]  # what the workflow to call from shall run; it cannot be pickled


@DBOS.workflow(name="host")
def host() -> Any:
    return _BODY[0]()


@DBOS.workflow(name="host_on_loop")
async def host_on_loop() -> Any:
    return await _BODY[0]()


def _keys(module: ModuleType) -> Iterator[str]:
    """The words that a module looks things up by."""
    for name, value in vars(module).items():
        if isinstance(value, dict) and not name.startswith("__"):
            yield from (key for key in value if isinstance(key, str))


def _told(error: BaseException) -> str:
    return _same(f"{type(error).__name__}: {error}")


def _same(text: str) -> str:
    """The text without what differs from one run to the next."""
    return DIFFERS.sub("ID", text)


def _used(result: Any) -> Any:
    """Make use of a result as a caller would."""
    if inspect.isgenerator(result):
        return [item for item, _ in zip(result, range(MOST_ITEMS), strict=False)]
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if hasattr(result, "__enter__") and hasattr(result, "gen"):
        with result as value:
            return value
    return result


async def _first(items: Any) -> Any:
    count = 0
    async for item in items:
        yield item
        count += 1
        if count == MOST_ITEMS:
            break
