"""Modules for the packages that a fixture imports and that are not installed (fastapi, httpx, ...).

Whatever is asked of them is there: it can be called, awaited, entered, iterated (it is empty), subclassed and used
as a decorator, which gives the function back. Nothing in them blocks or does any work.
"""

from __future__ import annotations

import importlib.machinery
import inspect
import sys
from collections.abc import Generator, Iterator, Sequence
from types import ModuleType
from typing import Any

ERRORS = ("Error", "Exception", "Timeout", "Exit", "Disconnect")


class _Permissive(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn()

    def __getitem__(cls, _: object) -> Any:
        return cls

    def __or__(cls, other: Any) -> Any:
        return other

    def __ror__(cls, other: Any) -> Any:
        return other


class StandIn(metaclass=_Permissive):
    """An object of a package that is not there. Called with nothing but a function, it gives that back."""

    def __new__(cls, *args: Any, **_: Any) -> Any:
        if "stand_in_package" in vars(cls) and len(args) == 1 and _is_code(args[0]):
            return args[0]
        return super().__new__(cls)

    def __init__(self, *_: Any, **fields: Any) -> None:
        if "stand_in_package" not in vars(type(self)):  # a class of the project, such as a pydantic model
            vars(self).update(fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn()

    def __call__(self, *args: Any, **_: Any) -> Any:
        return args[0] if len(args) == 1 and _is_code(args[0]) else StandIn()

    def __reduce__(self) -> Any:
        return (StandIn, ())

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration

    def __getitem__(self, _: object) -> Any:
        return StandIn()

    def __setitem__(self, *_: object) -> None: ...

    def __contains__(self, _: object) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __int__(self) -> int:
        return 1

    def __float__(self) -> float:
        return 1.0

    def __repr__(self) -> str:
        return "<stand-in>"


def _is_code(value: object) -> bool:
    return inspect.isroutine(value) or inspect.isclass(value)


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        base: Any = Exception if name.endswith(ERRORS) else StandIn
        made = type(base)(name, (base,), {"stand_in_package": self.__name__, "__module__": self.__name__})
        setattr(self, name, made)
        return made


class Finder:
    """Import finder of last resort: any package that nobody else knows, except those in `missing`."""

    def __init__(self, project: frozenset[str]) -> None:
        self._project = project

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top = name.partition(".")[0]
        if top in self._project or top in sys.stdlib_module_names or (path and not _stands_in(name)):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


def _stands_in(name: str) -> bool:
    return isinstance(sys.modules.get(name.rpartition(".")[0]), _Module)
