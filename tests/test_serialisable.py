"""Which values are known to be such as DBOS can store."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import dbos_api
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.program import Program
from dbos_asyncify.project.serialisable import Serialisable
from dbos_asyncify.source import from_bytes, parse

PATH = Path("/project/main.py").absolute()
HEAD = """\
import json, threading
from dbos import DBOS
LIMIT = 3
LOCK = threading.Lock()
@DBOS.step()
async def step(x): ...
@DBOS.workflow()
async def child(x): ...
async def plain(x): ...
def helper(x): ...
class Shop:
    @DBOS.workflow()
    async def sell(self, order): ...
"""


def is_stored(body: str, *, becomes_workflow: bool = False, decorator: str = "@DBOS.workflow()") -> bool:
    """Whether what `show(...)` is given, in a function with the parameters `x` and `xs`, can be stored."""
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    source = from_bytes(PATH, f"{HEAD}{decorator}\nasync def flow(x, xs):\n{lines}".encode())
    program = Program.build([(0, source, parse(source))], ModuleMap([PATH], PATH.parent), dbos_api.load())
    unit = program.units[0]
    flow = next(each.index for each in unit.facts.functions if each.name == "flow")
    shown = next(n for n in ast.walk(unit.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "show")
    return Serialisable(program, (0, flow) if becomes_workflow else None).expression(unit, shown.args[0])


@pytest.mark.parametrize(
    "body",
    [
        "show(1)",
        "show(x)",
        "show(x.items[0].name)",
        "show([x, {'a': xs}, (1, *xs)])",
        "show(f'{x}: {LIMIT}')",
        "show(x + 1 if xs else -x)",
        "show(x == 1 and not xs)",
        "show(LIMIT)",
        "show(await step(1))",
        "show(await child(1))",
        "show(await DBOS.recv_async('a'))",
        "h = await DBOS.start_workflow_async(child, 1)\nshow(await h.get_result())",
        "h = await DBOS.start_workflow_async(child, 1)\nshow(h.workflow_id)",
        "show(len(xs))",
        "show(json.dumps(x))",
        "show(x.strip().upper())",
        "show([y for y in xs])",
        "show({y: y.name for y in xs})",
        "a, b = await step(1)\nshow(b)",
        "a, b = x, 1\nshow(a)",
        "y = 1\nif x: y = await step(x)\nshow(y)",
        "n = 0\nfor y in xs: n = n + y\nshow(n)",
        "n: int = 0\nn += 1\nshow(n)",
        "for y in xs: show(y)",
        "if (y := await step(x)): show(y)",
    ],
)
def test_known_to_be_stored(body: str) -> None:
    assert is_stored(body)


@pytest.mark.parametrize(
    "body",
    [
        "show(unknown)",
        "show(LOCK)",
        "show(helper)",
        "show(helper(x))",
        "show(await plain(x))",
        "show(plain(x))",
        "show(open(x))",
        "show(threading.Lock())",
        "show(lambda: x)",
        "show([x, LOCK])",
        "show({'a': LOCK})",
        "show(str(LOCK.name))",
        "show(len(LOCK))",
        "show(x if xs else LOCK)",
        "y = 1\nif x: y = LOCK\nshow(y)",
        "a, b = x, LOCK\nshow(a)",
        "with x as y: show(y)",
        "try: pass\nexcept ValueError as y: show(y)",
        "import json as y\nshow(y)",
        "show([helper(y) for y in xs])",
        "show(await DBOS.start_workflow_async(child, 1))",
        "y = LOCK\nfor z in xs: y = y + 1\nshow(y)",
        "h = await DBOS.retrieve_workflow_async('a')\nshow(h)",
    ],
)
def test_not_known_to_be_stored(body: str) -> None:
    assert not is_stored(body)


@pytest.mark.parametrize(
    ("becomes_workflow", "decorator", "expected"),
    [
        (False, "@DBOS.workflow()", True),
        (False, "@DBOS.step()", False),
        (False, "# plain", False),
        (True, "# plain", True),
    ],
)
def test_parameters_of_workflows(becomes_workflow: bool, decorator: str, expected: bool) -> None:
    assert is_stored("show(x)", becomes_workflow=becomes_workflow, decorator=decorator) is expected


@pytest.mark.parametrize(("name", "expected"), [("self", False), ("order", True)])
def test_the_object_of_a_workflow(name: str, expected: bool) -> None:
    text = HEAD.replace("async def sell(self, order): ...", f"async def sell(self, order): show({name})")
    source = from_bytes(PATH, text.encode())
    program = Program.build([(0, source, parse(source))], ModuleMap([PATH], PATH.parent), dbos_api.load())
    unit = program.units[0]
    shown = next(n for n in ast.walk(unit.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == "show")
    assert Serialisable(program).expression(unit, shown.args[0]) is expected
