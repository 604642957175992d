"""What expressions can be, by the whole-program analysis: small programs, and the value of what `show` is given."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from dbos_asyncify import dbos_api
from dbos_asyncify.project.facts import Facts
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.solve import Solver
from dbos_asyncify.project.statements import facts_of
from dbos_asyncify.project.values import (
    Api,
    Atom,
    Bound,
    Box,
    Coro,
    Ext,
    Func,
    Handle,
    HandleMethod,
    Inst,
    Module,
    Obj,
    Other,
)

ROOT = Path("/project")
HEAD = """
import asyncio
import dbos
from dbos import DBOS, DBOSClient, Queue, WorkflowHandle, SQLAlchemyDatasource
ds = SQLAlchemyDatasource.create("sqlite:///x.sqlite")
@DBOS.workflow()
async def flow(x): ...
@DBOS.step()
def step(): ...
@ds.transaction()
def tx(): ...
class Box:
    handle: WorkflowHandle[str]
    queue = DBOS.register_queue("q")
    def __init__(self, client: DBOSClient):
        self.client = client
        self.handle = DBOS.start_workflow(flow)
    def method(self): return self.queue
    @property
    def prop(self): return self.client
"""


def solved(files: dict[str, str]) -> tuple[Solver, dict[str, Facts]]:
    facts = {name: facts_of(ast.parse(text)) for name, text in files.items()}
    modules = ModuleMap([ROOT / name for name in files], ROOT)
    numbered = {number: facts[name] for number, name in enumerate(files)}
    solver = Solver(numbered, modules, dbos_api.load())
    solver.solve()
    return solver, facts


def shown(solver: Solver, module: int, facts: Facts) -> list[str]:
    """The values of the arguments of `show(...)`, as short words."""
    for node in ast.walk(facts.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "show":
            value = solver.value(module, facts.numbers[node.args[0]])
            return sorted(word(atom) for atom in value)
    raise AssertionError("no call of show")


def word(atom: Atom) -> str:
    match atom:
        case Ext(path):
            return path
        case Api(owner, name):
            return f"{owner}.{name}"
        case Inst(cls):
            return f"a {cls}"
        case Func(_, _, role) | Bound(Func(_, _, role)):
            return role.value
        case Handle(_, is_async, declared):
            return "async handle" if is_async else "declared handle" if declared else "handle"
        case HandleMethod(_, name):
            return f"handle.{name}"
        case Box() | Coro() | Obj() | Module():
            return type(atom).__name__.lower()
        case Other():
            return atom.value
    return type(atom).__name__


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("show(DBOS.sleep)", ["DBOS.sleep"]),
        ("show(dbos.DBOS.sleep)", ["DBOS.sleep"]),
        ("show(DBOS(config={}).recv)", ["DBOS.recv"]),
        ("show(flow)", ["workflow"]),
        ("show(step)", ["step"]),
        ("show(tx)", ["transaction"]),
        ("show(DBOS.step()(print))", ["Foreign"]),
        ("show(DBOS.register_queue('q'))", ["a Queue"]),
        ("show(DBOS.start_workflow(flow))", ["handle"]),
        ("async def f(): show(await DBOS.start_workflow_async(flow))", ["async handle"]),
        ("async def f(): show(await asyncio.to_thread(DBOS.start_workflow, flow))", ["handle"]),
        ("show([DBOS.start_workflow(flow)][0])", ["handle"]),
        ("show({'a': DBOS.start_workflow(flow)}['a'])", ["handle"]),
        ("for key in {'a': DBOS.start_workflow(flow)}: show(key)", ["data"]),
        ("for _, h in {'a': DBOS.start_workflow(flow)}.items(): show(h)", ["handle"]),
        ("for n, h in enumerate([DBOS.start_workflow(flow)]): show(n)", ["data"]),
        ("for a, b in zip([1], [DBOS.start_workflow(flow)]): show(b)", ["handle"]),
        ("hs = []\nhs.append(DBOS.start_workflow(flow))\nshow(hs.pop())", ["handle", "none"]),
        ("h = DBOS.start_workflow(flow)\nh = 1\nshow(h)", ["data"]),
        ("h = 1\nif h: h = DBOS.start_workflow(flow)\nshow(h)", ["data", "handle"]),
        ("h = 1\nwhile h: show(h); h = DBOS.start_workflow(flow)", ["data", "handle"]),
        ("try: h = DBOS.start_workflow(flow)\nexcept ValueError: h = None\nshow(h)", ["handle", "none"]),
        ("if (h := DBOS.start_workflow(flow)): show(h)", ["handle"]),
        ("a, (b, *c) = 1, (DBOS, DBOS.start_workflow(flow))\nshow(c[0])", ["dbos.DBOS", "handle"]),
        ("show([h for h in [DBOS.start_workflow(flow)]][0].get_result)", ["handle.get_result"]),
        ("def f(q: Queue): show(q)", ["a Queue"]),
        ("def f(q: 'Queue | None'): show(q)", ["a Queue", "none"]),
        ("def f(hs: list[WorkflowHandle[int]]): show(hs[0])", ["declared handle"]),
        ("def f(x): show(x)", ["unknown"]),
        ("def f(x): show(x)\nf(DBOS)", ["dbos.DBOS"]),
        ("def f(DBOS): show(DBOS.sleep)", ["unknown"]),
        ("def f(c: DBOSClient): show(Box(c).client)", ["a DBOSClient"]),
        ("def f(c: DBOSClient): show(Box(c).prop)", ["a DBOSClient"]),
        ("def f(b: Box): show(b.method())", ["a Queue"]),
        ("def f(b: Box): show(b.handle)", ["declared handle", "handle"]),
        ("class Sub(Box): pass\ndef f(s: Sub): show(s.queue)", ["a Queue"]),
        (
            "def outer():\n    h = 1\n    def inner():\n        nonlocal h\n        h = DBOS\n    show(h)",
            ["data", "dbos.DBOS"],
        ),
        ("del DBOS\nshow(DBOS)", ["unknown"]),
        ("show(print)", ["builtins.print"]),
        ("show(lambda: 1)", ["function"]),
        ("from functools import partial\nshow(partial(flow, 1))", ["Partial"]),
    ],
)
def test_values(code: str, expected: list[str]) -> None:
    solver, facts = solved({"main.py": HEAD + code})
    assert shown(solver, 0, facts["main.py"]) == expected


def test_facts_can_be_kept_and_brought_back() -> None:
    """Facts need nothing but their file: a cache or another process may hold them."""
    facts = pickle.loads(pickle.dumps(facts_of(ast.parse(HEAD + "show(DBOS.start_workflow(flow))"))))
    solver = Solver({0: facts}, ModuleMap([ROOT / "main.py"], ROOT), dbos_api.load())
    solver.solve()
    assert shown(solver, 0, facts) == ["handle"]


def test_modules_are_joined() -> None:
    solver, facts = solved(
        {
            "app/__init__.py": "from .core import DBOS as durable, queue",
            "app/core.py": "from dbos import DBOS\nqueue = DBOS.register_queue('q')",
            "main.py": "import app.core\nshow([app.durable, app.core.queue, app.queue][0])",
        }
    )
    assert shown(solver, 2, facts["main.py"]) == ["a Queue", "dbos.DBOS"]
