"""Notes what happens on a running event loop that should not: calls that DBOS forbids there, SQL, sleeping, waiting
for a synchronous handle, the body of a synchronous step or workflow. Each with the lines of the project that led to it.

DBOS's own check is replaced by one that notes and lets the call go on. So one run reaches all calls of a coroutine,
and `before` can be compared with `after`. That the check raises is what tests/runtime/cases is for.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import dbos._dbos
import sqlalchemy as sa
from dbos import DBOS
from dbos._client import WorkflowHandleClientPolling
from dbos._core import WorkflowHandleFuture, WorkflowHandlePolling

Line = tuple[str, int]
COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
CREATED = re.compile(r'File "(.+?)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, and where: from the innermost line of the project out to the coroutine that is on the loop.

    `attributed` says that this coroutine is one of the project; else something that is not read called the project.
    """

    kind: str
    what: str
    lines: tuple[Line, ...]
    attributed: bool


@dataclass(slots=True)
class Seen:
    """What happened during one call."""

    events: dict[Event, None] = field(default_factory=dict)
    reached: set[Line] = field(default_factory=set)  # lines that ran on a running loop


class Probe:
    """Watches the project in `folder`; `seen` is what it saw since the last `take`."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}/"
        self.seen = Seen()

    def take(self) -> Seen:
        taken, self.seen = self.seen, Seen()
        return taken

    def install(self) -> None:
        vars(dbos._dbos)["check_async"] = self._check_async
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)
        time.sleep = self._noting("sleeps", time.sleep)
        for handle in (WorkflowHandleFuture, WorkflowHandlePolling, WorkflowHandleClientPolling):
            handle.get_result = self._noting("waits", handle.get_result)  # type: ignore[method-assign]
        for name in ("step", "workflow"):
            setattr(DBOS, name, classmethod(self._watched_decorator(getattr(DBOS, name).__func__)))
        warnings.simplefilter("always")
        warnings.showwarning = self._warning
        sys.set_coroutine_origin_tracking_depth(12)
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def note(self, kind: str, what: str, frame: FrameType | None) -> None:
        lines: list[Line] = []
        attributed = False
        while frame is not None:
            code = frame.f_code
            own = code.co_filename.startswith(self._prefix)
            if own:
                lines.append((code.co_filename[len(self._prefix) :], frame.f_lineno))
            if code.co_flags & COROUTINE and not code.co_name.startswith("<"):
                attributed = own
                break
            frame = frame.f_back
        self.seen.events[Event(kind, what, tuple(lines), attributed)] = None

    def _check_async(self, name: str) -> None:
        if _on_loop():
            self.note("raises", name, sys._getframe(1))

    def _statement(self, connection: sa.Connection, *_: object) -> None:
        if _on_loop() and not connection.dialect.is_async:
            self.note("sql", "", sys._getframe(1))

    def _noting(self, kind: str, function: Any) -> Any:
        @functools.wraps(function)
        def noting(*args: Any, **kwargs: Any) -> Any:
            if _on_loop():
                self.note(kind, function.__qualname__, sys._getframe(1))
            return function(*args, **kwargs)

        return noting

    def _watched_decorator(self, decorator: Any) -> Any:
        @functools.wraps(decorator)
        def watched(cls: type, *args: Any, **kwargs: Any) -> Any:
            decorate = decorator(cls, *args, **kwargs)

            def apply(function: Any) -> Any:
                if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
                    return decorate(function)
                return decorate(self._noting("body", function))

            return apply

        return watched

    def _warning(self, message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = str(message)
        if issubclass(category, RuntimeWarning) and "was never awaited" in text:
            created = [
                (path[len(self._prefix) :], int(line))
                for path, line in CREATED.findall(text)
                if path.startswith(self._prefix)
            ]
            self.seen.events[
                Event("never awaited", text.split("'")[1], tuple(created[-1:]), attributed=bool(created))
            ] = None

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "call" and frame.f_code.co_filename.startswith(self._prefix):
            return self._trace_line
        return None

    def _trace_line(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and _on_loop():
            self.seen.reached.add((frame.f_code.co_filename[len(self._prefix) :], frame.f_lineno))
        return self._trace_line


def _on_loop() -> bool:
    return asyncio._get_running_loop() is not None
