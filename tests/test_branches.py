"""What a workflow runs beside each other, and from when to when."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import dbos_api
from dbos_asyncify.project.branches import Beside, Branch
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.program import Program
from dbos_asyncify.project.spans import FOREVER, loops_around
from dbos_asyncify.project.statements import facts_of
from dbos_asyncify.source import from_bytes, parse

PATH = Path("/project/main.py").absolute()
HEAD = """\
import asyncio, anyio
from dbos import DBOS, WorkflowHandleAsync
@DBOS.step()
def plain(): ...
@DBOS.step()
async def step(*x): ...
async def one(*x): await step()
async def two(*x): await step(); await step()
async def nothing(*x): pass
"""
FLOW = "@DBOS.workflow()\nasync def flow(x, xs):\n"


def besides(body: str) -> list[Beside]:
    """What the workflow with this body runs beside each other, in the order of the text."""
    lines = [f"    {line}\n" for line in body.split("\n")]
    source = from_bytes(PATH, (HEAD + FLOW + "".join(lines)).encode())
    program = Program.build([(0, source, parse(source))], ModuleMap([PATH], PATH.parent), dbos_api.load())
    found = program.branches.beside.values()
    return sorted(found, key=lambda beside: (beside.taker.lineno, beside.taker.col_offset))


def named(branch: Branch) -> str:
    return ast.unparse(branch.call.func)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("await one(); await two()", []),
        ("await asyncio.gather(one(), two())", ["gather: one two"]),
        ("await asyncio.gather(one(), nothing())", ["gather: one"]),
        ("await asyncio.gather(two())", ["gather: two"]),
        ("await asyncio.gather(*[one(y) for y in xs])", ["gather: one"]),
        ("await asyncio.gather(*map(one, xs))", ["gather: map"]),
        ("tasks = [one(y) for y in xs]\nawait asyncio.gather(*tasks)", ["gather: one"]),
        ("tasks = [one()]\ntasks.append(two())\nawait asyncio.gather(*tasks)", ["gather: one two"]),
        ("await DBOS.asyncio_wait([one(), two()])", ["asyncio_wait: one two"]),
        ("await asyncio.gather(asyncio.to_thread(plain), one())", ["gather: asyncio.to_thread one"]),
        # tasks
        ("t = asyncio.create_task(one())\nawait two()\nawait t", ["create_task: one"]),
        ("t = asyncio.get_running_loop().create_task(one())\nawait two()\nawait t", ["create_task: one"]),
        ("t = asyncio.create_task(one())\nawait t", ["create_task: one"]),
        (
            "t = asyncio.create_task(one())\nawait asyncio.gather(t, two())",
            ["create_task: one", "gather: two; joins one"],
        ),
        # groups
        ("async with asyncio.TaskGroup() as g:\n    g.create_task(one())", ["create_task: one"]),
        ("async with anyio.create_task_group() as g:\n    g.start_soon(one, 1)", ["start_soon: g.start_soon"]),
    ],
)
def test_who_is_beside_whom(body: str, expected: list[str]) -> None:
    found = []
    for beside in besides(body):
        text = f"{beside.name}: {' '.join(sorted(named(branch) for branch in beside.handed if branch.draws))}"
        found.append(text + "".join(f"; joins {named(branch)}" for branch in beside.joined))
    assert found == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("await asyncio.gather(one(), two())", ["one", "two"]),
        ("await asyncio.gather(nothing(), two())", []),
        ("await asyncio.gather(*[two() for y in xs])", ["two"]),
        ("await asyncio.gather(*[two() for y in xs], nothing())", ["two"]),
        ("for y in xs: await asyncio.gather(two(), nothing())", []),
        # a task and what its maker draws meanwhile
        ("t = asyncio.create_task(two())\nawait one()\nawait t", ["two"]),
        ("t = asyncio.create_task(two())\nawait t\nawait one()", []),
        ("t = asyncio.create_task(two())\nawait nothing()\nawait t", []),
        ("await one()\nt = asyncio.create_task(two())\nawait t", []),
        ("t = asyncio.create_task(two())\nif x: await t\nawait one()", ["two"]),
        ("if x: asyncio.create_task(two())\nelse: await one()", []),
        ("t = asyncio.create_task(two())\nu = asyncio.create_task(one())\nawait t\nawait u", ["two", "one"]),
        ("t = asyncio.create_task(two())\nawait t\nu = asyncio.create_task(one())\nawait u", []),
        ("ts = [asyncio.create_task(two()) for y in xs]\nfor t in ts: await t", ["two"]),
        ("for y in xs: asyncio.create_task(two())", ["two"]),
        ("for y in xs:\n    t = asyncio.create_task(two())\n    await t", []),
        ("asyncio.create_task(two())\nawait one()", ["two"]),
        ("t = asyncio.create_task(two())\nawait asyncio.wait_for(t, 1)\nawait one()", []),
        # groups
        ("async with asyncio.TaskGroup() as g: g.create_task(two())\nawait one()", []),
        ("async with asyncio.TaskGroup() as g:\n    g.create_task(two())\n    await one()", ["two"]),
        ("async with asyncio.TaskGroup() as g:\n    for y in xs: g.create_task(two())", ["two"]),
        ("async with anyio.create_task_group() as g: g.start_soon(two)\nawait one()", []),
        ("async with anyio.create_task_group() as g:\n    for y in xs: g.start_soon(one, y)", ["g.start_soon"]),
        (
            "g = anyio.create_task_group()\ng.start_soon(anyio.to_thread.run_sync, plain); g.start_soon(one)",
            ["g.start_soon"] * 2,
        ),
        # threads: those of executors do not know of the workflow
        ("await asyncio.gather(asyncio.to_thread(plain), one())", ["asyncio.to_thread", "one"]),
        ("f = asyncio.get_running_loop().run_in_executor(None, plain)\nawait one()\nawait f", []),
    ],
)
def test_whose_steps_can_get_mixed(body: str, expected: list[str]) -> None:
    found = [named(branch) for beside in besides(body) for branch in beside.handed if beside.races(branch)]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("body", "first", "last"),
    [
        ("await asyncio.gather(\n    two(),\n)\nawait one()", 1, 3),
        ("t = asyncio.create_task(two())\nawait one()\nawait t\nawait one()", 1, 3),
        ("t = asyncio.create_task(two())\nif x: await t\nawait one()", 1, None),
        ("t = asyncio.create_task(two())\nif x: await t\nawait one()\nawait t", 1, 4),
        ("asyncio.create_task(two())", 1, None),
        ("async with asyncio.TaskGroup() as g:\n    t = g.create_task(two())\n    await one()\nawait one()", 2, 3),
        ("async with asyncio.TaskGroup() as g:\n    t = g.create_task(two())\n    await t\n    await one()", 2, 3),
        ("await one()\nfor y in xs:\n    await one()\n    t = asyncio.create_task(two())", 2, None),
        ("for y in xs:\n    await one()\n    t = asyncio.create_task(two())\n    await t", 3, 4),
        (
            "ts = [asyncio.create_task(two()) for y in xs]\nfor t in ts:\n    await t\n    await one()\nawait one()",
            1,
            4,
        ),
        ("t = asyncio.create_task(two())\nawait one()\nawait asyncio.gather(t, one())\nawait one()", 1, 3),
    ],
)
def test_from_when_to_when(body: str, first: int, last: int | None) -> None:
    above = HEAD.count("\n") + FLOW.count("\n")
    branch = besides(body)[0].handed[0]
    end = None if branch.end == FOREVER else branch.end[0] - above
    assert (branch.start[0] - above, end) == (first, last)


def test_tasks_that_run_at_a_place() -> None:
    source = from_bytes(
        PATH, (HEAD + FLOW + "    t = asyncio.create_task(two())\n    one()\n    await t\n    one()").encode()
    )
    program = Program.build([(0, source, parse(source))], ModuleMap([PATH], PATH.parent), dbos_api.load())
    flow = next(each for each in program.units[0].facts.functions if each.name == "flow")
    calls = [call.node for call in program.calls_in((0, flow.index)) if ast.unparse(call.node) == "one()"]
    assert [program.branches.beside_task((0, flow.index), call) for call in calls] == [True, False]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("here()", 0),
        ("for x in xs: here()", 1),
        ("for x in here(): pass", 0),
        ("while here(): pass", 1),
        ("for x in xs:\n    for y in here(): pass", 1),
        ("[here() for x in xs]", 1),
        ("[x for x in here()]", 0),
        ("[x for x in xs for y in here()]", 1),
        ("[x for x in xs if here()]", 1),
        ("for x in xs:\n    def f(): here()", 0),
    ],
)
def test_loops_around(code: str, expected: int) -> None:
    facts = facts_of(ast.parse(code))
    [call] = [node for node in ast.walk(facts.tree) if isinstance(node, ast.Call)]
    assert len(loops_around(facts, call)) == expected
