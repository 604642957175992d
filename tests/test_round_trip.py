"""The round trip over dbos's own tests, for the newest release; benchmarks/README.md tells what it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command import environment
from dbos_asyncify.dbos_api import newest

SCRIPT = Path(__file__).parent.parent / "benchmarks/round_trip.py"


@pytest.mark.slow
def test_nearly_every_call_comes_back_and_no_edit_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), newest(), "--cache", str(tmp_path), "--verbose"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "restored exactly" in done.stdout
