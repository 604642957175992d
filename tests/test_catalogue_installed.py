"""The catalogue of the DBOS API against the installed dbos, and against its own generator."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version as installed_version
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import dbos
import pytest

from dbos_asyncify.dbos_api import FormKind, Member, OnLoop, load, newest, versions

ROOT = Path(__file__).parent.parent
INSTALLED = installed_version("dbos")

MADE_UP_GUARD = """
import asyncio

def check(name):
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(name)
"""
MADE_UP = {
    "1.0.0": """
class DBOS:
    def one(self): ...
    def gone(self): ...
    def sometimes(self, named):
        if named:
            self.one()
""",
    "2.0.0": """
class DBOS:
    def one(self):
        return self._plural([1])
    def _plural(self, ids):
        with open(ids):
            check("one")
    async def one_async(self): ...
    def sometimes(self, named):
        if named:
            self.one()
""",
}
MADE_UP["3.0.0"] = MADE_UP["2.0.0"] + "    def gone(self): ...\n"


def test_the_installed_release_is_known() -> None:
    assert INSTALLED in versions(), "run scripts/generate_catalogue.py"


def test_exports() -> None:
    seen = {name: getattr(dbos, name) for name in dbos.__all__}
    exports = load(INSTALLED).exports()
    assert set(exports) == set(seen)
    for name, kind in exports.items():
        assert (kind == "class") == inspect.isclass(seen[name]), name
        assert (kind == "function") == inspect.isfunction(seen[name]), name
        assert (kind == "module") == inspect.ismodule(seen[name]), name


def test_members_and_nothing_more() -> None:
    seen = {
        (owner, name, *_nature(attribute))
        for owner, cls in _classes().items()
        for name, attribute in _public(cls).items()
    }
    known = {
        (m.owner, m.name, "method" if m.kind == "decorator" else m.kind, m.is_async, m.is_async_generator)
        for m in load(INSTALLED).members()
    }
    assert known == seen


def test_every_pair_and_nothing_more() -> None:
    seen = {
        (owner, name, twin)
        for owner, cls in _classes().items()
        for name, attribute in _public(cls).items()
        for twin in [f"get_{name}_async" if isinstance(attribute, property) else f"{name}_async"]
        if twin in _public(cls)
    }
    known = {
        (member.owner, member.name, member.async_form.name)
        for member in load(INSTALLED).members()
        if member.async_form and member.async_form.owner == member.owner
    }
    assert known == seen


def test_kinds_and_parameters_of_async_forms() -> None:
    classes = _classes()
    for member in load(INSTALLED).members():
        if member.async_form is None:
            continue
        form = member.async_form
        twin = _function(inspect.getattr_static(classes[form.owner], form.name))
        assert (form.kind is FormKind.COROUTINE) == inspect.iscoroutinefunction(twin), member
        assert (form.kind is FormKind.ASYNC_GENERATOR) == inspect.isasyncgenfunction(twin), member
        if member.kind != "property":
            one = _function(inspect.getattr_static(classes[member.owner], member.name))
            assert (_parameters(one) == _parameters(twin)) == (not form.different_parameters), member


def test_behaviour_on_a_running_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbos._dbos._dbos_global_instance", None)
    warnings: list[str] = []
    monkeypatch.setattr("dbos._queue.dbos_logger.warning", warnings.append)
    known, seen = {}, {}
    for member in load(INSTALLED).members():
        called = member.async_form is not None or member.name == "get_status"
        if called and not member.is_async and member.owner in STAND_INS:
            known[member.owner, member.name] = member.on_loop
            seen[member.owner, member.name] = asyncio.run(_call_on_loop(member, warnings))
    assert len(known) > 30
    assert seen == known


def test_rows_are_sorted_and_do_not_overlap() -> None:
    rows = json.loads(files("dbos_asyncify.dbos_api").joinpath("catalogue.json").read_text("utf-8"))
    order = {release: index for index, release in enumerate(rows["versions"])}
    spans = [
        (row["owner"], row["name"], order[row["since"]], order[row["until"] or newest()]) for row in rows["members"]
    ]
    assert spans == sorted(spans)
    assert all(first <= last for *_, first, last in spans)
    for before, after in pairwise(spans):
        assert before[:2] != after[:2] or before[3] < after[2]


def test_reads_made_up_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    describe = importlib.import_module("catalogue.describe").describe
    package = importlib.import_module("catalogue.source").Package
    table = importlib.import_module("catalogue.table").table
    releases = []
    for release, methods in MADE_UP.items():
        wheel = tmp_path / f"dbos-{release}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("dbos/__init__.py", 'from ._dbos import DBOS\n__all__ = ["DBOS"]\n')
            archive.writestr("dbos/_dbos.py", MADE_UP_GUARD + methods)
        releases.append((release, describe(package(wheel, "dbos"))))
    rows = json.loads(table(releases))["members"]
    assert [(row["name"], row["since"], row["until"], row.get("on_loop")) for row in rows] == [
        ("gone", "1.0.0", "1.0.0", "blocks"),
        ("gone", "3.0.0", None, "blocks"),
        ("one", "1.0.0", "1.0.0", "blocks"),
        ("one", "2.0.0", None, "raises"),
        ("one_async", "2.0.0", None, None),
        ("sometimes", "1.0.0", None, "blocks"),
    ]


@pytest.mark.slow
def test_regenerating_changes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "catalogue.json"
    script = ROOT / "scripts/generate_catalogue.py"
    done = subprocess.run(
        [sys.executable, script, "--until", newest(), "--cache", tmp_path / "wheels", "--output", output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    committed = files("dbos_asyncify.dbos_api").joinpath("catalogue.json").read_text("utf-8")
    assert output.read_text("utf-8") == committed


class _Database:
    """Stands for the system database: whoever asks it anything has not been stopped before."""

    def __getattr__(self, name: str) -> Any:
        raise ConnectionError(name)


def _stand_in(cls: type, **attributes: Any) -> Any:
    instance: Any = object.__new__(cls)
    vars(instance).update(attributes)
    return instance


STAND_INS: dict[str, Callable[[], Any]] = {
    "DBOS": lambda: dbos.DBOS,
    "DBOSClient": lambda: _stand_in(dbos.DBOSClient, _sys_db=_Database(), _serializer=None),
    "Queue": lambda: _stand_in(dbos.Queue, name="q", database_backed_queue=True, _client_system_database=_Database()),
    "StepReservation": lambda: dbos.StepReservation(None),  # type: ignore[arg-type]
    "Debouncer": lambda: dbos.Debouncer("workflow"),
    "WorkflowHandlePolling": lambda: _classes()["WorkflowHandlePolling"]("id", dbos.DBOS),
    "WorkflowHandleFuture": lambda: _classes()["WorkflowHandleFuture"]("id", None, dbos.DBOS),
    "WorkflowHandleClientPolling": lambda: _classes()["WorkflowHandleClientPolling"]("id", _Database()),
}


async def _call_on_loop(member: Member, warnings: list[str]) -> OnLoop:
    warnings.clear()
    receiver = STAND_INS[member.owner]()
    try:
        value = getattr(receiver, member.name)
        if callable(value):
            required = [
                parameter
                for parameter in inspect.signature(value).parameters.values()
                if parameter.default is parameter.empty
                and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            ]
            positional = [_argument(p.name, member) for p in required if p.kind is not p.KEYWORD_ONLY]
            named = {p.name: _argument(p.name, member) for p in required if p.kind is p.KEYWORD_ONLY}
            result = value(*positional, **named)
            if inspect.isgenerator(result):
                next(result)
    except RuntimeError as error:
        if "while an event loop is running" in str(error):
            return OnLoop.RAISES
    except Exception:  # noqa: BLE001 - the arguments make no sense; only the guard matters
        pass
    return OnLoop.WARNS if any("event loop" in text for text in warnings) else OnLoop.BLOCKS


def _argument(parameter: str, member: Member) -> object:
    """Queues look at a new value before anything else; nothing else looks at its arguments so early."""
    if parameter == "value":
        return None if "limiter" in member.name else 1
    return "x"


def _classes() -> dict[str, type]:
    """The exported classes and the handle classes of the installed dbos."""
    seen = {name: getattr(dbos, name) for name in dbos.__all__}
    for module in ("dbos._core", "dbos._client", "dbos._dbos"):
        everything = vars(importlib.import_module(module))
        seen |= {name: value for name, value in everything.items() if name.startswith("WorkflowHandle")}
    return {name: value for name, value in seen.items() if inspect.isclass(value)}


def _public(cls: type) -> dict[str, Any]:
    """The functions and properties that the package itself puts into a class or its bases."""
    return {
        name: attribute
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("dbos.")
        for name, attribute in vars(base).items()
        if not name.startswith("_") and (_is_property(attribute) or inspect.isfunction(_function(attribute)))
    }


def _is_property(attribute: object) -> bool:
    return isinstance(attribute, property) or type(attribute).__name__ == "ClassPropertyDescriptor"


def _function(attribute: Any) -> Any:
    return getattr(attribute, "__func__", attribute)


def _nature(attribute: object) -> tuple[str, bool, bool]:
    if _is_property(attribute):
        return "property" if isinstance(attribute, property) else "classproperty", False, False
    function = _function(attribute)
    asynchronous = inspect.isasyncgenfunction(function)
    kind = "generator" if asynchronous or inspect.isgeneratorfunction(function) else "method"
    promises = "Coroutine[" in str(inspect.signature(function).return_annotation).partition("Callable")[0]
    return kind, asynchronous or inspect.iscoroutinefunction(function) or promises, asynchronous


def _parameters(function: Callable[..., Any]) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters if p.name not in {"self", "cls"}]
