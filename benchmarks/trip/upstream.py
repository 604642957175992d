"""Upstream's own tests on SQLite, those whose code is not what it was: before, and after the round trip."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trip.release import pip

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# Tools of upstream's development group that no test needs.
_NOT_FOR_TESTS = re.compile(r"types-.*|mypy|black|pre-commit|isort|pyright|pdm-backend")
_ATTEMPTS = 3  # upstream's tests race with clocks: a test that passes in one of them passes


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tests that ran, by outcome, and those that passed before the trip and do not after it."""

    files: tuple[str, ...]
    before: Mapping[str, str]
    after: Mapping[str, str]
    broken: tuple[str, ...]


def compare(folder: Path, restored: Mapping[Path, bytes], cache: Path, version: str) -> Comparison:
    """Run the tests of the release in `folder` that `restored` gives other code, with both texts."""
    different = {path: changed_tests(path.read_bytes(), text) for path, text in sorted(restored.items())}
    names = {path: path.relative_to(folder).as_posix() for path in different}
    tests = [names[path] + test for path, found in different.items() if path.name.startswith("test_") for test in found]
    python = _environment(folder, cache, version)
    with tempfile.TemporaryDirectory() as temporary:
        changed = Path(temporary) / "after"
        shutil.copytree(folder, changed)
        for path in different:
            (changed / names[path]).write_bytes(restored[path])
        before, after = _outcomes(python, folder, tests), _outcomes(python, changed, tests)
        for _ in range(1, _ATTEMPTS):
            for outcomes, tree in ((before, folder), (after, changed)):
                again = [test for test, outcome in outcomes.items() if outcome == "failed"]
                outcomes.update(_outcomes(python, tree, again))
    broken = [test for test, outcome in before.items() if outcome == "passed" != after.get(test)]
    return Comparison(tuple(names[path] for path, found in different.items() if found), before, after, tuple(broken))


def changed_tests(before: bytes, after: bytes) -> list[str]:
    """What to add to a file's name to run the tests whose code differs: nothing where more than tests does.

    Layout is not code, and an import alone changes no test: that it works is seen by any test of the file.
    """
    imports = (ast.Import, ast.ImportFrom)
    one, other = ([node for node in ast.parse(text).body if not isinstance(node, imports)] for text in (before, after))
    changed = [node for node, new in zip(one, other, strict=True) if ast.dump(node) != ast.dump(new)]
    names = [getattr(node, "name", "") for node in changed]
    return [f"::{name}" for name in names] if all(name.startswith("test_") for name in names) else [""]


def _environment(folder: Path, cache: Path, version: str) -> Path:
    """The Python of a virtual environment below `cache` that has what the release's tests import."""
    home = cache / f"venv-{version}-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not home.exists():
        described = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
        extras = ",".join(sorted(described["project"]["optional-dependencies"].keys() - {"enterprise"}))
        group = [need for need in described["dependency-groups"]["dev"] if not _NOT_FOR_TESTS.match(need)]
        venv.create(home, with_pip=True)
        pip("install", "--quiet", f"dbos[{extras}]=={version}", *group, python=python)
    return python


def _outcomes(python: Path, tree: Path, tests: Sequence[str]) -> dict[str, str]:
    """What became of each test. Every file has a process of its own: what one leaves behind is not another's."""
    found: dict[str, str] = {}
    for file in dict.fromkeys(test.partition("::")[0] for test in tests):
        chosen = [test for test in tests if test.partition("::")[0] == file]
        found.update(_run(python, tree, chosen))
    return found


def _run(python: Path, tree: Path, tests: Iterable[str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as temporary:
        record = Path(temporary) / "outcomes"
        record.touch()
        path = os.pathsep.join([str(tree), str(Path(__file__).parent)])
        environment = {**os.environ, "PYTHONPATH": path, "DBOS_DATABASE": "SQLITE", "TRIP_OUTCOMES": str(record)}
        command = [str(python), "-m", "pytest", "-q", "-p", "recorder", *tests]
        subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False)
        lines = [line.partition(" ") for line in record.read_text("utf-8").splitlines()]
    outcomes: dict[str, str] = {}
    for outcome, _, test in lines:
        if outcomes.get(test) != "failed":
            outcomes[test] = outcome
    return outcomes
