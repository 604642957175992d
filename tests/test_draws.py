"""How many steps a function draws on its paths, and whether the first waits for something else before."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbos_asyncify import dbos_api
from dbos_asyncify.project.draws import State, is_late, is_out_of_order, most
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.program import Program
from dbos_asyncify.source import from_bytes, parse

PATH = Path("/project/main.py").absolute()
HEAD = """
import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from dbos import DBOS, SQLAlchemyDatasource, WorkflowHandle, WorkflowHandleAsync
ds = SQLAlchemyDatasource.create("sqlite:///x.sqlite")
sem = asyncio.Semaphore(2)
@DBOS.workflow()
async def child(): ...
@DBOS.step()
def plain_step(): ...
@DBOS.step()
async def step(*x): ...
@ds.transaction()
def tx(): ...
async def nothing(): return 1
async def one(): await step()
async def two(): await step(); await step()
async def late(): await asyncio.sleep(1); await step()
def in_thread(): plain_step()
async def given(it): await it
@dataclass
class Made:
    token: int = field(default_factory=plain_step)
"""


def program_of(text: str) -> Program:
    source = from_bytes(PATH, text.encode())
    return Program.build([(0, source, parse(source))], ModuleMap([PATH], PATH.parent), dbos_api.load())


def states(code: str) -> str:
    """How the paths through `show` can end: the steps of each, `late` after a wait for something else."""
    program = program_of(HEAD + code)
    [function] = [each for each in program.units[0].facts.functions if each.name == "show"]
    found = program.concurrency.draws.of((0, function.index))
    return ", ".join(f"{state.steps}{' late' if state.late else ''}" for state in sorted(found))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("async def show(): pass", "0"),
        ("async def show(): await step()", "1"),
        ("async def show(): plain_step()", "1"),
        ("async def show(): await child()", "1"),
        ("async def show(): await asyncio.to_thread(tx)", "1"),
        ("async def show(): await asyncio.to_thread(in_thread)", "1"),
        ("async def show(): await asyncio.get_running_loop().run_in_executor(None, plain_step)", "0 late"),
        ("async def show(): await DBOS.send_async('a', 'b')", "1"),
        ("async def show(): DBOS.register_queue('q')", "0"),
        ("async def show(): await step(); await step()", "2"),
        ("async def show(): await step(); await step(); await step()", "2"),
        ("async def show(): await two()", "2"),
        ("async def show(): await partial(step, 1)()", "1"),
        ("async def show(): Made()", "1"),
        ("async def show(): Made(1)", "0"),
        # paths
        ("async def show(x):\n    if x: await step()", "0, 1"),
        ("async def show(x):\n    if x: await step()\n    else: await step()", "1"),
        ("async def show(x):\n    if x: await step(); return\n    await step()", "1"),
        ("async def show(x): return await step() if x else 1", "0, 1"),
        ("async def show(x): return x and await step()", "0, 1"),
        ("async def show(x): raise ValueError(await step())", "1"),
        ("async def show(x):\n    match x:\n        case 1: await step()\n        case _: await two()", "0, 1, 2"),
        ("async def show(xs):\n    for x in xs: await step()", "0, 1, 2"),
        ("async def show(xs):\n    for x in xs:\n        await step()\n        break", "0, 1"),
        ("async def show(xs):\n    for x in xs:\n        await step()\n        return", "0, 1"),
        ("async def show(xs):\n    for x in xs:\n        await step()\n        continue", "0, 1, 2"),
        ("async def show(xs):\n    for x in xs:\n        if x: continue\n        await step()\n        break", "0, 1"),
        ("async def show(xs):\n    for x in xs:\n        for y in x: break\n        await step()", "0, 1, 2"),
        ("async def show(xs):\n    while xs: await step()", "0, 1, 2"),
        ("async def show(xs): return [await step(x) for x in xs]", "0, 1, 2"),
        ("async def show():\n    try: await step()\n    except ValueError: await step()", "1, 2"),
        ("async def show():\n    try: await step()\n    finally: await step()", "2"),
        ("async def show():\n    return await step()\n    await step()", "1"),
        # what does not run
        ("async def show():\n    async def inner(): await step()", "0"),
        ("async def show(): return lambda: step()", "0"),
        ("async def show(x):\n    if x: await show(x)\n    await step()", "1, 2"),
        # waits
        ("async def show(): await asyncio.sleep(1)", "0 late"),
        ("async def show(): await asyncio.sleep(0)", "0"),
        ("async def show(): await late()", "1 late"),
        ("async def show(): await asyncio.sleep(1); await two()", "2 late"),
        ("async def show(): await step(); await asyncio.sleep(1)", "1"),
        ("async def show(): await step(); await asyncio.sleep(1); await step()", "2"),
        ("async def show(x): await x.fetch(); await step()", "1 late"),
        ("async def show(): await nothing(); await step()", "1"),
        ("async def show(): await asyncio.gather(one(), nothing())", "1"),
        ("async def show(): await asyncio.gather(one(), one())", "2"),
        ("async def show():\n    async with sem: await step()", "1"),
        ("async def show(x):\n    async with x: await step()", "1 late"),
        ("async def show(xs):\n    async for x in xs: await step()", "0 late, 1 late, 2 late"),
        ("async def show(h: WorkflowHandleAsync[int]): await h.get_result()", "1 late"),
        ("async def show(h: WorkflowHandleAsync[int]): await h.get_status()", "1 late"),
        ("async def show(h: WorkflowHandle[int]): h.get_result()", "1"),
        ("async def show(): await DBOS.list_schedules_async()", "1 late"),
        ("async def show(): time.sleep(1); await step()", "1 late"),
        ("async def show(it): await it\nasync def main(): await show(two())", "2"),
    ],
)
def test_states(code: str, expected: str) -> None:
    assert states(code) == expected


def test_given_coroutines_can_be_left_out() -> None:
    program = program_of(HEAD + "async def main(): await given(two())")
    key = next((0, each.index) for each in program.units[0].facts.functions if each.name == "given")
    draws = program.concurrency.draws
    assert (most(draws.of(key)), most(draws.by_itself(key))) == (2, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (State(0), State(1), State(1)),
        (State(2), State(1), State(2)),
        (State(0, late=True), State(1), State(1, late=True)),
        (State(1), State(1, late=True), State(2)),
        (State(0), State(1, late=True), State(1, late=True)),
    ],
)
def test_one_after_the_other(first: State, second: State, expected: State) -> None:
    assert first.then(second) == expected


@pytest.mark.parametrize(
    ("ends", "late", "out_of_order"),
    [
        ({State(0, late=True)}, False, False),
        ({State(0), State(1)}, False, False),
        ({State(0), State(1, late=True)}, True, True),
        ({State(1), State(2)}, False, True),
    ],
)
def test_what_depends_on_time(ends: set[State], late: bool, out_of_order: bool) -> None:
    assert (is_late(frozenset(ends)), is_out_of_order(frozenset(ends))) == (late, out_of_order)
