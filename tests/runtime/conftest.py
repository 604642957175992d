"""What the runs on a real DBOS need from the machine."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest


@pytest.fixture
def dbos_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that runs DBOS; its databases go to `tmp_path`."""
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        pytest.skip(f"from Python 3.12 on DBOS needs SQLite 3.42; this is {sqlite3.sqlite_version}")
    return {
        **os.environ,
        "DBOS_SYSTEM_DATABASE_URL": f"sqlite:///{(tmp_path / 'system.sqlite').as_posix()}",
        "APP_DATABASE_URL": f"sqlite:///{(tmp_path / 'app.sqlite').as_posix()}",
        "SHOP_DATA": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
