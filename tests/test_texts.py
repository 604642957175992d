"""What counts as a function's source: what Python's `inspect` gives, which DBOS makes its version of."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

from dbos_asyncify.project.texts import texts_of
from dbos_asyncify.source import parse, read

SOURCES = '''\
import functools


def decorator(number):
    def around(function):
        return function
    return around


@decorator(
    1
)
@decorator(2)
def decorated():
    """Words."""
    return 1

    # at the end of the body

# outside

def one_line(): return 1  # comment


class Shop:
    @staticmethod
    def sell():
        def nested():
            return 1
        # between
        return nested
    # outside of it

    async def close(self):
        pass
        # inside
# outside


def last():
    return """
# text
"""
'''


def functions_of(owner: ModuleType | type) -> Iterator[FunctionType]:
    for value in vars(owner).values():
        found = value.__func__ if isinstance(value, staticmethod) else value
        if isinstance(found, FunctionType):
            yield found
        elif isinstance(found, type):
            yield from functions_of(found)


def test_texts_are_those_that_dbos_hashes(tmp_path: Path) -> None:
    path = tmp_path / "sources_of_functions.py"
    path.write_text(SOURCES)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    source = read(path)
    texts = {name: text for (name, _), (_, text) in texts_of(source, parse(source)).items()}
    found = list(functions_of(module))
    assert len(found) == 6
    for function in found:
        assert texts[function.__qualname__] == inspect.getsource(function)
    assert texts["Shop.sell.<locals>.nested"] == inspect.getsource(module.Shop.sell())
    del sys.modules[path.stem]
