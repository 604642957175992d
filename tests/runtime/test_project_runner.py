"""The runner of fixture projects sees what happens, and says where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.projects.project import Call, Runner

PROJECT = b"""
import asyncio
import threading
import time

from dbos import DBOS, WorkflowHandle
from fastapi import FastAPI

app = FastAPI()


@DBOS.step()
def weigh(parcel: str) -> int:
    return len(parcel)


def tell(text: str) -> None:
    DBOS.set_event("text", text)


@app.post("/right")
async def right(text: str) -> int:
    await asyncio.to_thread(tell, text)
    return await asyncio.to_thread(weigh, text)


async def calls(text: str) -> None:
    tell(text)


async def steps(parcels: list[str]) -> list[int]:
    return list(weigh(parcel) for parcel in parcels)


async def sleeps() -> None:
    time.sleep(60)


async def waits(handle: WorkflowHandle[int]) -> int:
    return handle.get_result()


async def forgets() -> None:
    DBOS.sleep_async(1)


async def hangs() -> None:
    threading.Event().wait()


def in_a_thread(text: str) -> int:
    tell(text)
    return weigh(text)
"""
LINES = PROJECT.decode().splitlines()


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(dbos_runs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Call]]:
    with Runner() as runner:
        ran = runner.run({Path("shop.py"): PROJECT}, tmp_path_factory.mktemp("project"), limit=5)
        assert not ran.not_imported
        yield {name.partition(":")[2]: call for name, call in ran.calls.items()}


@pytest.mark.parametrize(
    ("function", "kind", "lines"),
    [
        ("calls", "raises", ('DBOS.set_event("text", text)', "tell(text)")),
        ("calls", "sql", ('DBOS.set_event("text", text)', "tell(text)")),
        ("steps", "body", ("return list(weigh(parcel) for parcel in parcels)",) * 2),
        ("sleeps", "sleeps", ("time.sleep(60)",)),
        ("waits", "waits", ("return handle.get_result()",)),
        ("forgets", "never awaited", ("DBOS.sleep_async(1)",)),
        ("hangs", "hangs", ("threading.Event().wait()",)),
    ],
)
def test_what_happens_on_the_loop_is_seen(
    made: dict[str, Call], function: str, kind: str, lines: tuple[str, ...]
) -> None:
    seen = {(event.kind, tuple(LINES[line - 1].strip() for _, line in event.lines)) for event in made[function].events}
    assert (kind, lines) in seen


@pytest.mark.parametrize("function", ["right", "in_a_thread"])
def test_nothing_happens_in_threads(made: dict[str, Call], function: str) -> None:
    assert made[function].outcome == "returned"
    assert made[function].result == "4"
    assert made[function].events == ()
    assert made[function].histories == (("host", "SUCCESS", ("DBOS.setEvent", "weigh"), ""),)


def test_what_hangs_stops_nobody_else(made: dict[str, Call]) -> None:
    assert {name for name, call in made.items() if call.outcome == "hung"} == {"hangs"}
    assert made["waits"].outcome == "returned"
