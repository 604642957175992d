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
def imported(files: Mapping[str, str]) -> Iterator[tuple[list[types.ModuleType], list[str]]]:
    """All modules of a project, and the list that takes what they call of dbos."""
    calls: list[str] = []
    finder = _Finder(files)
    before = dict(sys.modules)
    sys.modules["dbos"] = stand_in.module(calls)
    sys.meta_path.insert(0, finder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield [importlib.import_module(name) for name in finder.texts], calls
    finally:
        sys.meta_path.remove(finder)
        for name in {*sys.modules} - {*before}:
            del sys.modules[name]
        sys.modules.update(before)


def run_all(files: Mapping[str, str]) -> dict[str, list[str]]:
    """What each function of a project calls; those that are coroutines run on a loop. Raises what they raise, and
    for a coroutine that nobody awaits."""
    found = {}
    with imported(files) as (modules, calls):
        for module in modules:
            for name, function in list(vars(module).items()):
                if not inspect.isfunction(function) or function.__module__ != module.__name__:
                    continue
                if not {*inspect.signature(function).parameters} <= {"v", "w"} or name.startswith("ranks"):
                    continue
                args = [1 for _ in inspect.signature(function).parameters]
                calls.clear()
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    if inspect.iscoroutinefunction(function):
                        asyncio.run(function(*args))
                    else:
                        function(*args)
                    gc.collect()
                found[f"{module.__name__}.{name}"] = list(calls)
    return found
