"""Executes every case before and after its migration, on a real DBOS with SQLite.

`before` has to be wrong in the way that its case.toml says. `after` has to run, to leave the loop free, and
to record the same steps. What is the same is taken from a run that works: `before` itself where it only
blocks; where it raises, its synchronous spelling (`def` for `async def`, no `await`), right off the loop.
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

from dbos_asyncify.pipeline import Options, rewrite_text

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

    `before` is what is wrong with it, `error` how the exception that it raises begins. `stall_ms` is how long
    its calls hold up the loop on purpose; 0 where they only talk to the database. `result` is what comes out
    when it is right. `steps` names the workflow's recorded steps where there is no run to compare with; `unsafe` says
    that only an unsafe fix leads from one to the other.
    """

    folder: Path
    before: Literal["raises", "blocks", "hangs", "works"]
    result: Any
    error: str = ""
    stall_ms: int = 0
    steps: tuple[str, ...] = ()
    unsafe: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The answer of the runner; its fields are described there."""

    outcome: str
    result: Any
    error: str
    stall_ms: int
    sql_on_loop: int
    histories: dict[str, Any]
    stderr: str = ""


def load(folder: Path) -> Case:
    return Case(folder=folder, **tomllib.loads((folder / "case.toml").read_text(encoding="utf-8")))


ALL = [load(path.parent) for path in sorted(CASES.glob("*/case.toml"))]
NAMES = [case.folder.name for case in ALL]


def run(module: Path, environment: dict[str, str], limit: float = 60.0) -> Run:
    """Run a module in a process and in a database of its own."""
    for database in Path(environment["SHOP_DATA"]).glob("*.sqlite*"):
        database.unlink()
    completed = subprocess.run(
        [sys.executable, str(RUNNER), str(module), "--limit", str(limit)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit + 60,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return Run(**json.loads(completed.stdout), stderr=completed.stderr)


def run_undisturbed(module: Path, environment: dict[str, str]) -> Run:
    """Run it up to three times: a busy machine holds up the loop now and then, a blocking call always."""
    for _ in range(2):
        ran = run(module, environment)
        if ran.stall_ms < BUSY_MACHINE_MS:
            return ran
    return run(module, environment)


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


def check_after(case: Case, ran: Run) -> None:
    assert (ran.outcome, ran.error, ran.result) == ("returned", "", case.result)
    assert ran.sql_on_loop == 0
    assert ran.stall_ms < BUSY_MACHINE_MS
    assert ran.stderr == ""  # a forgotten await would show here


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case.slow else ()) for case in ALL], ids=NAMES
)
def test_migration(case: Case, dbos_environment: dict[str, str], tmp_path: Path) -> None:
    limit = HANG_SECONDS if case.before == "hangs" else 60.0
    before = run(case.folder / "before.py", dbos_environment, limit)
    check_before(case, before)

    after = run_undisturbed(case.folder / "after.py", dbos_environment)
    check_after(case, after)

    if case.steps:
        recorded = [name for _, name, _ in after.histories["run"]["steps"]]
        assert recorded == list(case.steps)
    elif case.before == "raises":
        text = (case.folder / "before.py").read_text(encoding="utf-8")
        (tmp_path / "synchronous.py").write_text(synchronous(text), encoding="utf-8")
        reference = run(tmp_path / "synchronous.py", dbos_environment)
        assert reference.outcome == "returned", reference.error
        assert reference.result == case.result
        assert after.histories == reference.histories
    else:
        assert after.histories == before.histories


@pytest.mark.parametrize("case", ALL, ids=NAMES)
def test_tool_writes_after(case: Case) -> None:
    path = case.folder / "before.py"
    expected = (case.folder / "after.py").read_text(encoding="utf-8")
    options = Options(unsafe_fixes=case.unsafe)
    assert rewrite_text(path.read_text(encoding="utf-8"), path, options) == expected
    assert rewrite_text(expected, path, options) == expected


def test_blocking_needs_time_to_be_seen() -> None:
    """A stall that a case makes on purpose must not be mistaken for a busy machine."""
    assert all(case.stall_ms == 0 or 0.8 * case.stall_ms > BUSY_MACHINE_MS for case in ALL)
