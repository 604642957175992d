"""Executes every case before and after its migration, on a real DBOS with SQLite, and with PostgreSQL.

`before` has to be wrong in the way that its case.toml says. `after` has to run, to leave the loop free, and
to record the same steps. What is the same is taken from a run that works: `before` itself where it only
blocks; where it raises, its synchronous spelling (`def` for `async def`, no `await`), right off the loop.
The impact report has to say the same of the recorded steps, and of the application version.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from dbos_asyncify.findings import History, Impact
from dbos_asyncify.pipeline import Options, analyse, rewrite_text
from dbos_asyncify.source import read
from runtime.conftest import POSTGRES, Databases

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
RUNNER = HERE / "runner.py"
CASES = HERE / "cases"

HANG_SECONDS = 3.0
BUSY_MACHINE_MS = 300  # what a machine with other work may take from a loop that nobody blocks


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of cases/.

    `before` is what is wrong with it ("forgets": it returns, but has recorded no step), `error` how the exception
    that it raises begins. `stall_ms` is how long its calls hold up the loop on purpose; 0 where they only talk to
    the database. `result` is what comes out when it is right. `steps` names the workflow's recorded steps where
    there is no run to compare with. `unsafe` says that the fix has to be asked for. `may_differ` says why the impact
    report cannot know whether the steps are the same.
    """

    folder: Path
    before: Literal["raises", "blocks", "hangs", "works", "forgets"]
    result: Any
    error: str = ""
    stall_ms: int = 0
    steps: tuple[str, ...] = ()
    slow: bool = False
    unsafe: bool = False
    may_differ: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The answer of the runner; its fields are described there."""

    outcome: str
    result: Any
    error: str
    stall_ms: int
    sql_on_loop: int
    application_version: str
    histories: dict[str, Any]
    stderr: str = ""


def load(folder: Path) -> Case:
    return Case(folder=folder, **tomllib.loads((folder / "case.toml").read_text(encoding="utf-8")))


ALL = [load(path.parent) for path in sorted(CASES.glob("*/case.toml"))]
NAMES = [case.folder.name for case in ALL]

# Where DBOS goes another way than with SQLite: notifications, queues, datasources, and waiting for another workflow.
ON_POSTGRES = {
    "cancel-resume",
    "child-workflow-with-sleep",
    "client",
    "concurrent-branches",
    "deadlock",
    "debouncer",
    "enqueue-workflow",
    "events",
    "run-tx-step",
    "send-recv",
    "sleep",
    "start-workflow",
    "streams",
    "transaction",
}


def run(module: Path, databases: Databases, limit: float = 60.0) -> Run:
    """Run a module in a process and in a database of its own."""
    completed = subprocess.run(
        [sys.executable, str(RUNNER), str(module), "--limit", str(limit)],
        env=databases(),
        capture_output=True,
        text=True,
        timeout=limit + 60,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return Run(**json.loads(completed.stdout), stderr=completed.stderr)


def run_undisturbed(module: Path, databases: Databases) -> Run:
    """Run it up to three times: a busy machine holds up the loop now and then, a blocking call always."""
    for _ in range(2):
        ran = run(module, databases)
        if ran.stall_ms < BUSY_MACHINE_MS:
            return ran
    return run(module, databases)


def synchronous(text: str) -> str:
    return re.sub(r"\bawait ", "", re.sub(r"\basync def\b", "def", text))


def check_before(case: Case, ran: Run) -> None:
    if case.before == "raises":
        assert ran.outcome == "raised"
        assert ran.error.startswith(case.error)
    elif case.before == "hangs":
        assert ran.outcome == "hung"
        assert ran.stall_ms > 500 * HANG_SECONDS
    else:
        assert (ran.outcome, ran.error, ran.result) == ("returned", "", case.result)
        assert (ran.sql_on_loop > 0) == (case.before == "blocks")
        assert ran.stall_ms >= 0.8 * case.stall_ms
        assert case.before != "forgets" or ran.histories["run"]["steps"] == []


def check_after(case: Case, ran: Run) -> None:
    assert (ran.outcome, ran.error, ran.result) == ("returned", "", case.result)
    assert ran.sql_on_loop == 0
    assert ran.stall_ms < BUSY_MACHINE_MS
    assert ran.stderr == ""  # a forgotten await would show here


@pytest.mark.parametrize(
    ("case", "databases"),
    [
        *(
            pytest.param(case, "sqlite", marks=pytest.mark.slow if case.slow else (), id=case.folder.name)
            for case in ALL
        ),
        *(
            pytest.param(case, "postgres", marks=POSTGRES, id=f"{case.folder.name}-postgres")
            for case in ALL
            if case.folder.name in ON_POSTGRES
        ),
    ],
    indirect=["databases"],
)
def test_migration(case: Case, databases: Databases, tmp_path: Path) -> None:
    limit = HANG_SECONDS if case.before == "hangs" else 60.0
    before = run(case.folder / "before.py", databases, limit)
    check_before(case, before)

    after = run_undisturbed(case.folder / "after.py", databases)
    check_after(case, after)

    reference = before.histories
    if case.steps:
        recorded = [name for _, name, _ in after.histories["run"]["steps"]]
        assert recorded == list(case.steps)
        if not case.unsafe:  # `before` did not come that far
            reference = after.histories
    elif case.before == "raises":
        text = (case.folder / "before.py").read_text(encoding="utf-8")
        (tmp_path / "synchronous.py").write_text(synchronous(text), encoding="utf-8")
        ran = run(tmp_path / "synchronous.py", databases)
        assert ran.outcome == "returned", ran.error
        assert ran.result == case.result
        reference = ran.histories
    assert case.unsafe or after.histories == reference
    check_impact(case, reference, after.histories)
    assert (before.application_version != after.application_version) == impact_of(case).new_version


def impact_of(case: Case) -> Impact:
    source = read(case.folder / "before.py")
    options = Options(unsafe_fixes=case.unsafe)
    return analyse([source], [source.path], case.folder, options).impact


def check_impact(case: Case, before: dict[str, Any], after: dict[str, Any]) -> None:
    """The report says of each workflow that ran whether it records the same steps. Those it leaves out do."""
    said = {workflow.name: workflow.history for workflow in impact_of(case).workflows}
    assert (History.MAY_DIFFER in said.values()) == bool(case.may_differ)
    for name, history in said.items():
        ran = [each for each, of in before.items() if of["name"] == name]
        assert ran, f"{name} did not run"
        same = all(before[each]["steps"] == after[each]["steps"] for each in ran)
        assert history is History.MAY_DIFFER or same == (history is History.SAME)
    for each in before.keys() & after.keys():
        was, now = before[each], after[each]
        if was["name"] == now["name"]:  # children of other steps have other ids
            assert was["name"] in said or was["steps"] == now["steps"]


@pytest.mark.parametrize("case", ALL, ids=NAMES)
def test_tool_writes_after(case: Case) -> None:
    path = case.folder / "before.py"
    expected = (case.folder / "after.py").read_text(encoding="utf-8")
    options = Options(unsafe_fixes=case.unsafe)
    assert rewrite_text(path.read_text(encoding="utf-8"), path, options) == expected
    assert rewrite_text(expected, path, options) == expected


def test_cases_for_postgres_exist() -> None:
    assert set(NAMES) >= ON_POSTGRES


def test_blocking_needs_time_to_be_seen() -> None:
    """A stall that a case makes on purpose must not be mistaken for a busy machine."""
    assert all(case.stall_ms == 0 or 0.8 * case.stall_ms > BUSY_MACHINE_MS for case in ALL)
