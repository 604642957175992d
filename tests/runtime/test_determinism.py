"""What is not deterministic on recovery, on a real DBOS: `before` recovers in another way, `after` always the same.

Who comes first in a run, and who in a recovery, is forced (recovery/pace.py), so no verdict depends on luck or on time.
Every recovery happens in another process than the first run, with another PYTHONHASHSEED.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbos_asyncify.pipeline import Options, rewrite_text
from runtime.conftest import POSTGRES, Databases
from runtime.recovery.case import ALL, Case, Form
from runtime.recovery.pace import KILLED

TESTS = Path(__file__).parents[1]
DATABASES = ["sqlite", pytest.param("postgres", marks=POSTGRES)]


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer of the runner; its fields are described there."""

    result: Any
    error: str
    steps: list[Any]
    unmet: list[str]


class Laboratory:
    """Runs all cases at once, in a database of its own each time."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def recover(self, form: Form, replays: int = 1, eager: bool = False) -> Iterator[tuple[Case, Ended, list[Ended]]]:
        """Each case, its first run, and its recoveries in another process."""
        environment = self._databases()
        first = self._process(environment, 1, form, "run", *["--eager"] * eager)
        recovered = self._process(environment, 2, form, "recover", "--replays", str(replays))
        for case in ALL:
            name = case.folder.name
            yield case, Ended(**first[name]), [Ended(**ended) for ended in recovered[name]]

    def restart(self) -> Iterator[tuple[Case, Ended, Ended]]:
        """Each case undisturbed, and as it ends in a process that starts after another one has died in the middle."""
        undisturbed = self._process(self._databases(), 1, "after", "run")
        environment = self._databases()
        self._process(environment, 1, "after", "die", code=KILLED)
        resumed = self._process(environment, 2, "after", "resume")
        for case in ALL:
            yield case, Ended(**undisturbed[case.folder.name]), Ended(**resumed[case.folder.name])

    def _process(self, environment: dict[str, str], hash_seed: int, *arguments: str, code: int = 0) -> dict[str, Any]:
        completed = subprocess.run(
            [sys.executable, "-m", "runtime.recovery.runner", *arguments],
            cwd=TESTS,
            env={**environment, "PYTHONHASHSEED": str(hash_seed)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert completed.returncode == code, completed.stderr
        return dict(json.loads(completed.stdout or "{}"))


@pytest.fixture
def laboratory(databases: Databases) -> Laboratory:
    return Laboratory(databases)


@pytest.mark.parametrize("databases", DATABASES, indirect=True)
def test_before_recovers_in_another_way(laboratory: Laboratory) -> None:
    wrong = []
    for case, first, (recovered,) in laboratory.recover("before"):
        if not is_right(case, first) or recovered.unmet or not is_other_way(case, first, recovered):
            wrong.append((case.folder.name, first, recovered))
    assert wrong == []


def is_other_way(case: Case, first: Ended, recovered: Ended) -> bool:
    """Whether the recovery went wrong in the way that case.toml says."""
    if case.error:
        return bool(re.match(case.error, recovered.error))
    if recovered.error or (case.recovered is not None and recovered.result != case.recovered):
        return False
    if case.steps:
        return names(recovered) == case.steps != names(first)
    return bool(recovered.result != first.result)


def names(ended: Ended) -> list[str]:
    return [step[1] for step in ended.steps]


@pytest.mark.parametrize(
    ("databases", "replays"),
    [
        ("sqlite", 4),
        pytest.param("sqlite", 20, marks=pytest.mark.slow),
        pytest.param("postgres", 20, marks=POSTGRES),
    ],
    indirect=["databases"],
)
def test_after_recovers_the_same(laboratory: Laboratory, replays: int) -> None:
    wrong = []
    for case, first, recovered in laboratory.recover("after", replays):
        assert len(recovered) == replays
        wrong += [(case.folder.name, first, again) for again in recovered if not is_same(case, first, again)]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("databases", DATABASES, indirect=True)
def test_after_recovers_when_its_process_has_died(laboratory: Laboratory) -> None:
    assert [
        (case.folder.name, undisturbed, resumed)
        for case, undisturbed, resumed in laboratory.restart()
        if not is_same(case, undisturbed, resumed)
    ] == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought eager tasks")
@pytest.mark.slow
@pytest.mark.parametrize("databases", DATABASES, indirect=True)
def test_after_of_eager_tasks(laboratory: Laboratory) -> None:
    """DBOS recovers on a loop of its own, where tasks are not eager."""
    wrong = []
    for case, first, recovered in laboratory.recover("after", 4, eager=True):
        if all(is_same(case, first, again) for again in recovered) != case.eager:
            wrong.append((case.folder.name, first, recovered))
    assert wrong == []


def is_right(case: Case, first: Ended) -> bool:
    return (first.result, first.error, first.unmet) == (case.result, "", [])


def is_same(case: Case, first: Ended, again: Ended) -> bool:
    return is_right(case, first) and (again.result, again.error, again.steps) == (first.result, "", first.steps)


@pytest.mark.parametrize("case", ALL, ids=[case.folder.name for case in ALL])
def test_tool_writes_after(case: Case) -> None:
    path = case.folder / "before.py"
    expected = (case.folder / "after.py").read_text(encoding="utf-8")
    options = Options(unsafe_fixes=True)
    assert rewrite_text(path.read_text(encoding="utf-8"), path, options) == expected
    assert rewrite_text(expected, path, options) == expected
