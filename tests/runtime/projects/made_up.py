"""Makes up the arguments of a function, from annotations and names."""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import re
import types
import typing
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import dbos
from dbos import (
    DBOS,
    AsyncSQLAlchemyDatasource,
    DBOSClient,
    DBOSConfiguredInstance,
    EnqueueOptions,
    Queue,
    SQLAlchemyDatasource,
    WorkflowHandle,
    WorkflowHandleAsync,
)

from runtime.projects.stand_ins import StandIn

TEXT = "text"
ADDRESS = "https://example.org/text"
NUMBERS = re.compile(
    r"^(n|i|k|x|y|units|amount|cents|count|total|size|limit|seconds|delay|timeout|attempts?|times|number|year|month|"
    r"day|hours?|minutes|days|width|height|price|weight|quantity|retries|port|version|round|index|position)s?$"
)
PLAIN: dict[object, Any] = {
    int: 2,
    float: 0.5,
    bool: True,
    bytes: b"bytes",
    object: TEXT,
    None: None,
    type(None): None,
    date: date(2024, 5, 1),
    datetime: datetime(2024, 5, 1),
    timedelta: timedelta(milliseconds=1),
    Decimal: Decimal(2),
    UUID: UUID(int=1),
    Path: Path("text"),
}
DEEPEST = 6
LENGTH = 3  # of lists


class CannotMakeUpError(Exception):
    """There is no way to make up a value; the text says of what."""


@DBOS.workflow()
def finished(value: Any) -> Any:
    """The workflow behind made-up handles."""
    return value


class Maker:
    """Makes up values for the functions of a project; `wait` runs a coroutine on the loop until it is done."""

    def __init__(self, modules: list[ModuleType], wait: Callable[[Any], Any]) -> None:
        self._modules = modules
        self._wait = wait
        self.word = TEXT  # for every string
        self._text = TEXT  # for the present parameter
        self._instances = 0

    def arguments(self, function: Any, module: ModuleType) -> tuple[list[Any], dict[str, Any]]:
        """Arguments for a call of `function`, defined in `module`; bound methods have their `self`."""
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise CannotMakeUpError(f"the arguments of {function!r}") from error
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                continue
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            value = self._argument(parameter, module)
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = value
            else:
                positional.append(value)
        return positional, named

    def _argument(self, parameter: inspect.Parameter, module: ModuleType) -> Any:
        default = parameter.default
        self._text = ADDRESS if "url" in parameter.name else self.word
        if inspect.isfunction(default):  # FastAPI's Depends, which the stand-in gives back
            return self._called(default)
        given = default is not parameter.empty and not isinstance(default, StandIn)
        if given and default is not None:
            return default
        annotation = self._resolved(parameter.annotation, module)
        if annotation in (parameter.empty, Any) or isinstance(annotation, typing.TypeVar):
            return None if given else self._by_name(parameter.name)
        try:
            return self.value(annotation, module, 0)
        except CannotMakeUpError:
            if given:
                return default
            raise

    def _resolved(self, annotation: Any, module: ModuleType) -> Any:
        if not isinstance(annotation, str):
            return annotation
        names: dict[str, Any] = {**vars(typing), **vars(collections.abc), "dbos": dbos, **vars(dbos)}
        for other in [*self._modules, module]:
            names.update(vars(other))
        try:
            return eval(annotation, names)
        except Exception as error:  # an annotation may raise anything
            raise CannotMakeUpError(f"annotation {annotation!r}: {type(error).__name__}") from error

    def _by_name(self, name: str) -> Any:
        if "handle" in name or name in {"h", "running", "task", "job_handle"}:
            raise CannotMakeUpError(f"`{name}`, whose kind of handle nothing tells")
        if NUMBERS.match(name):
            return 2
        if name.endswith("s") and not name.endswith("ss"):
            return self._several(lambda: self._text)
        return self._text

    def value(self, annotation: Any, module: ModuleType, depth: int) -> Any:
        """A value that fits the annotation."""
        annotation = self._resolved(annotation, module)
        if depth > DEEPEST:
            raise CannotMakeUpError(f"{annotation}, which holds itself")
        if isinstance(annotation, typing.ForwardRef):
            return self.value(annotation.__forward_arg__, module, depth + 1)
        if annotation in (str, Any) or isinstance(annotation, typing.TypeVar):
            return self._text
        if typing.get_origin(annotation) is not None:
            return self._generic(annotation, module, depth)
        if getattr(annotation, "__hash__", None) and annotation in PLAIN:
            return PLAIN[annotation]
        return self._plain_class(annotation, module, depth)

    def _generic(self, annotation: Any, module: ModuleType, depth: int) -> Any:
        origin, parts = typing.get_origin(annotation), typing.get_args(annotation)

        def inner(index: int) -> Any:
            return self.value(parts[index], module, depth + 1) if len(parts) > index else TEXT

        if origin in (typing.Union, types.UnionType):
            wanted = next(part for part in parts if part is not type(None))
            return self.value(wanted, module, depth + 1)
        if origin is typing.Annotated:
            called = [part for part in parts[1:] if inspect.isfunction(part)]
            return self._called(called[0]) if called else inner(0)
        if origin is typing.Literal:
            return parts[0]
        if origin in (typing.ClassVar, typing.Final):
            return inner(0)
        if origin in (WorkflowHandle, WorkflowHandleAsync):
            return self._handle(origin, inner(0))
        if origin is type:
            return parts[0]
        if origin is collections.abc.Callable:
            return self._function(parts, module, depth)
        if origin is tuple:
            if len(parts) == 2 and parts[1] is ...:
                return (inner(0), inner(0))
            return tuple(inner(index) for index in range(len(parts)))
        if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping, collections.defaultdict):
            return {inner(0): inner(1)}
        if origin in (set, frozenset, collections.abc.Set):
            return {inner(0)}
        if origin in (collections.abc.AsyncIterator, collections.abc.AsyncIterable, collections.abc.AsyncGenerator):
            return _streamed([inner(0), inner(0)])
        if origin in (collections.abc.Iterator, collections.abc.Generator):
            return iter([inner(0), inner(0)])
        if isinstance(origin, type) and issubclass(list, origin):
            return self._several(lambda: inner(0))
        if isinstance(origin, type):
            return self._plain_class(origin, module, depth)
        raise CannotMakeUpError(f"{annotation}")

    def _several(self, make: Callable[[], Any]) -> list[Any]:
        """Values that differ where they are strings."""
        word, made = self._text, []
        for index in range(LENGTH):
            self._text = f"{word}-{index}" if index else word
            made.append(make())
        self._text = word
        return made

    def _plain_class(self, annotation: Any, module: ModuleType, depth: int) -> Any:
        if annotation in (list, tuple, set, frozenset):
            return annotation(self._several(lambda: self._text))
        if annotation is dict:
            return {TEXT: TEXT}
        if annotation in (WorkflowHandle, WorkflowHandleAsync):
            return self._handle(annotation, TEXT)
        if annotation is EnqueueOptions:
            return {"queue_name": "made-up", "workflow_name": finished.__qualname__}
        if annotation is Queue:
            return DBOS.register_queue("made-up")
        if annotation is DBOSClient:
            return DBOSClient()
        if annotation is DBOS:
            return DBOS(config={"name": "fixture"})
        if annotation in (SQLAlchemyDatasource, AsyncSQLAlchemyDatasource):
            return annotation.create("sqlite://")
        if annotation is collections.abc.Callable:
            return self._function((), module, depth)
        if not inspect.isclass(annotation):
            raise CannotMakeUpError(f"{annotation}")
        if issubclass(annotation, StandIn) and "stand_in_package" in vars(annotation):
            return StandIn()
        if issubclass(annotation, Enum):
            return next(iter(annotation))
        return self.instance(annotation, depth)

    def instance(self, cls: type, depth: int = 0) -> Any:
        """An object of a class of the project, or of one that stands in for a protocol or an abstract class."""
        module = next((found for found in self._modules if found.__name__ == cls.__module__), None)
        if module is None:
            raise CannotMakeUpError(f"`{cls.__name__}` of `{cls.__module__}`")
        if typing.is_typeddict(cls):
            return {name: self.value(hint, module, depth + 1) for name, hint in cls.__annotations__.items()}
        if getattr(cls, "_is_protocol", False) or inspect.isabstract(cls):
            return self.instance(self._concrete(cls), depth + 1)
        if issubclass(cls, StandIn) and "__init__" not in vars(cls):
            return cls(**{name: self.value(hint, module, depth + 1) for name, hint in _annotations(cls).items()})
        if depth > DEEPEST:
            raise CannotMakeUpError(f"`{cls.__name__}`, which holds itself")
        if issubclass(cls, DBOSConfiguredInstance):  # each wants a name of its own
            self._instances += 1
            self.word = f"{TEXT}-{self._instances}"
        positional, named = self.arguments(cls, module)
        self.word = TEXT if issubclass(cls, DBOSConfiguredInstance) else self.word
        made = cls(*positional, **named)
        for name, hint in _annotations(cls).items():  # what some other method sets
            if not hasattr(made, name):
                with contextlib.suppress(CannotMakeUpError, AttributeError):
                    setattr(made, name, self.value(hint, module, depth + 1))
        return made

    def _concrete(self, cls: type) -> type:
        wanted = {name for name, value in vars(cls).items() if inspect.isfunction(value) and name[0] != "_"}
        for module in self._modules:
            for found in vars(module).values():
                if not inspect.isclass(found) or found is cls or inspect.isabstract(found):
                    continue
                if found.__module__ != module.__name__ or getattr(found, "_is_protocol", False):
                    continue
                if cls in found.__mro__ or wanted <= {name for base in found.__mro__ for name in vars(base)}:
                    return found
        raise CannotMakeUpError(f"`{cls.__name__}`: no class of the project does what it asks for")

    def _handle(self, kind: Any, value: Any) -> Any:
        handle = DBOS.start_workflow(finished, value)
        handle.get_result()
        if kind is WorkflowHandle:
            return handle
        return self._wait(DBOS.retrieve_workflow_async(handle.workflow_id))

    def _function(self, parts: tuple[Any, ...], module: ModuleType, depth: int) -> Any:
        returned = parts[-1] if parts else Any
        if typing.get_origin(returned) in (collections.abc.Awaitable, collections.abc.Coroutine):
            wanted = typing.get_args(returned)[-1]

            async def coroutine(*_: Any, **__: Any) -> Any:
                return self.value(wanted, module, depth + 1)

            return coroutine
        result = self.value(returned, module, depth + 1)
        return lambda *_, **__: result

    def _called(self, function: Any) -> Any:
        """What a dependency gives; of a generator the first value."""
        result = function()
        if inspect.iscoroutine(result):
            return self._wait(result)
        if inspect.isasyncgen(result):
            return self._wait(result.__anext__())
        return next(result) if inspect.isgenerator(result) else result


def _annotations(cls: type) -> dict[str, Any]:
    return {
        name: hint
        for base in reversed(cls.__mro__)
        for name, hint in vars(base).get("__annotations__", {}).items()
        if base.__module__ == cls.__module__
    }


async def _streamed(values: list[Any]) -> Any:
    for value in values:
        yield value
