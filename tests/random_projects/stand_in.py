"""A module that passes for dbos and is strict: what would stop the event loop raises."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


class Value:
    """What dbos gives: it can be used in every way in which the projects use it."""

    status = "SUCCESS"

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def keys(self) -> str:
        return "ab"

    def get(self, key: object, default: object = None) -> Value:
        return self

    def _itself(self, *args: object) -> Value:
        return self

    __getitem__ = __pow__ = __add__ = __neg__ = __rpow__ = __radd__ = _itself

    def __lt__(self, other: object) -> bool:
        return False

    __gt__ = __le__ = __lt__

    def __str__(self) -> str:
        return "value"

    def __format__(self, spec: str) -> str:
        return "value"


def forbid_loop(what: str) -> None:
    """Fail where a loop is running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BlockedLoopError(what)


class BlockedLoopError(Exception):
    """Something synchronous was called on a running event loop."""


class Handle:
    """A workflow handle of either kind."""

    workflow_id = "id"

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __class_getitem__(cls, item: object) -> type:
        return cls

    def get_result(self) -> Any:
        return self.kind("get_result", Value)

    def get_status(self) -> Any:
        return self.kind("get_status", Value)


Kind = Callable[[str, Callable[[], Any]], Any]


class StandIn:
    """Everything that `DBOS`, a client, a queue or a datasource has; what ends in `_async` is a coroutine."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind, plain = (self.later, name[:-6]) if name.endswith("_async") else (self.now, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if plain == "read_stream":
                return self.stream_async() if kind == self.later else self.stream()
            if kind == self.later and plain == "start_workflow":
                assert inspect.iscoroutinefunction(args[0]), args[0]
            gives = plain in ("start_workflow", "enqueue_workflow", "enqueue", "retrieve_workflow")
            return kind(plain, lambda: Handle(kind) if gives else Value())

        return call

    def now(self, name: str, result: Callable[[], Any]) -> Any:
        forbid_loop(name)
        return result()

    async def later(self, name: str, result: Callable[[], Any]) -> Any:
        return result()

    def stream(self) -> Iterator[Value]:
        yield self.now("read_stream", Value)

    async def stream_async(self) -> AsyncIterator[Value]:
        yield Value()

    def workflow(self) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return guarded

    step = transaction = workflow

    def register_queue(self, name: str) -> StandIn:
        return self

    def create(self, url: str) -> StandIn:
        return self

    def __call__(self, **options: object) -> StandIn:
        return self


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A workflow, step or transaction: what is no coroutine must not run on the loop."""
    if inspect.iscoroutinefunction(function):
        return function

    def call(*args: Any, **kwargs: Any) -> Any:
        forbid_loop(function.__name__)
        return function(*args, **kwargs)

    return call


def module() -> types.ModuleType:
    """The module."""
    made: Any = types.ModuleType("dbos")
    made.DBOS = made.DBOSClient = made.SQLAlchemyDatasource = made.Queue = StandIn()
    made.WorkflowHandle = made.WorkflowHandleAsync = Handle
    return made  # type: ignore[no-any-return]
