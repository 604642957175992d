"""A pytest plugin: writes the outcome of every test to the file that TRIP_OUTCOMES names, one line a test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test is what its call was; where set-up or tear-down failed it is that."""
    if report.when == "call" or report.outcome != "passed":
        with Path(os.environ["TRIP_OUTCOMES"]).open("a", encoding="utf-8") as file:
            file.write(f"{report.outcome} {report.nodeid.strip()}\n")
