"""What the runs on a real DBOS need from the machine, and the table of what was run."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

from runtime.projects.verdict import COUNTED


@pytest.fixture
def dbos_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that runs DBOS; its databases go to `tmp_path`."""
    skip_without_dbos()
    return {
        **os.environ,
        "DBOS_SYSTEM_DATABASE_URL": f"sqlite:///{(tmp_path / 'system.sqlite').as_posix()}",
        "APP_DATABASE_URL": f"sqlite:///{(tmp_path / 'app.sqlite').as_posix()}",
        "SHOP_DATA": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="session")
def dbos_runs() -> None:
    """Skips the test where DBOS cannot run."""
    skip_without_dbos()


def skip_without_dbos() -> None:
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        pytest.skip(f"from Python 3.12 on DBOS needs SQLite 3.42; this is {sqlite3.sqlite_version}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Adds up what the tests have counted, those of all workers."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, counts in getattr(report, "user_properties", ()):
                if name == COUNTED and report.when == "call":
                    total.update(counts)
    if total:
        terminalreporter.section("fixture projects on a real DBOS")
        width = len(str(max(total.values())))
        for name, count in sorted(total.items()):
            terminalreporter.write_line(f"{count:{width}}  {name}")
