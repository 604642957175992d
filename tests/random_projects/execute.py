"""Runs a project in memory, on a stand-in for dbos."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import inspect
import io
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from random_projects import stand_in


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports modules from texts; folders without `__init__.py` are packages as well."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.texts: dict[str, str] = {}
        self.packages: set[str] = set()
        for path, text in files.items():
            parts = [part for part in PurePosixPath(path).with_suffix("").parts if part != "src"]
            self.packages.update(".".join(parts[:count]) for count in range(1, len(parts)))
            self.texts[".".join(part for part in parts if part != "__init__")] = text

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self.texts and name not in self.packages:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=name in self.packages)

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.texts.get(module.__name__, ""), module.__name__, "exec"), module.__dict__)


@contextlib.contextmanager
def imported(files: Mapping[str, str]) -> Iterator[list[types.ModuleType]]:
    """All modules of a project."""
    finder = _Finder(files)
    before = dict(sys.modules)
    sys.modules["dbos"] = stand_in.module()
    sys.meta_path.insert(0, finder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield [importlib.import_module(name) for name in finder.texts]
    finally:
        sys.meta_path.remove(finder)
        for name in {*sys.modules} - {*before}:
            del sys.modules[name]
        sys.modules.update(before)


def run_all(files: Mapping[str, str]) -> None:
    """Call every function at the top of a project's modules; coroutines run on a loop. Raises what they raise, and
    for a coroutine that nobody awaits."""
    with warnings.catch_warnings(record=True) as caught, imported(files) as modules:
        warnings.simplefilter("always")
        for function in [each for module in modules for each in _functions(module)]:
            args = [1 for _ in inspect.signature(function).parameters]
            if inspect.iscoroutinefunction(function):
                asyncio.run(function(*args))
            else:
                function(*args)
        gc.collect()
    forgotten = [str(warning.message) for warning in caught if "never awaited" in str(warning.message)]
    assert not forgotten, forgotten


def _functions(module: types.ModuleType) -> Iterator[types.FunctionType]:
    """What a module defines and what any number does for an argument."""
    for function in list(vars(module).values()):
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            if {*inspect.signature(function).parameters} <= {"v", "w"}:
                yield function
