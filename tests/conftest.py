"""Options that all tests share."""

from __future__ import annotations

import gc

import pytest
from hypothesis import settings

settings.register_profile("thorough", max_examples=500)


def pytest_collection_finish() -> None:
    """What is there before the tests stays: looking for forgotten coroutines after each program is quick then."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-fixtures",
        action="store_true",
        help="write what the tool does now into tests/fixtures; the review is the git diff",
    )


@pytest.fixture
def update_fixtures(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-fixtures"))
