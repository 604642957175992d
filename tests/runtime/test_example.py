"""The example application: it fails as it is, runs when migrated, and the tool is what migrates it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples"
MIGRATED = ROOT / "tests" / "example_after"


def visit(application: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", "order-1"],
        cwd=application,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def fix(application: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dbos_asyncify", "fix", str(application)],
        cwd=application,
        env={**os.environ, "PYTHONPATH": str(ROOT / "codemods"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in {".py", ".md"}
    }


def test_example_fails_before_it_is_migrated(dbos_environment: dict[str, str]) -> None:
    ran = visit(EXAMPLE, dbos_environment)
    assert ran.returncode == 1
    assert ran.stderr.rstrip().endswith(
        "RuntimeError: set_event() was called while an event loop is running. Use await set_event_async(...) instead."
    )


@pytest.mark.slow
def test_example_runs_once_it_is_migrated(dbos_environment: dict[str, str]) -> None:
    ran = visit(MIGRATED, {**dbos_environment, "PYTHONWARNINGS": "default"})
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "  reserved",
        "  paid, receipt-order-1-170",
        "  packed",
        "  to ada@example.com: invoice-order-1, receipt-order-1-170",
        "order-1: 2 parcels, first north/order-1/apple",
        "to ada@example.com: thank you",
        "SUCCESS",
        "order-1 is shipped after 27 steps",
        "2995 units left",
        "known: True",
    ]
    assert ran.returncode == 0


def test_tool_migrates_the_example(tmp_path: Path) -> None:
    application = tmp_path / "shop"
    shutil.copytree(EXAMPLE, application, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite*"))
    ran = fix(application)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert files(application) == files(MIGRATED)
    again = fix(application)
    assert again.returncode == 0, again.stdout + again.stderr
    assert files(application) == files(MIGRATED)
