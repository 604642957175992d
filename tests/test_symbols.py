"""The dotted names of what expressions mean, and what the configuration can declare by them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from command import make, run
from dbos_asyncify import dbos_api
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.symbols import Kind, to_declare
from dbos_asyncify.source import from_bytes, parse

ROOT = Path("/project").absolute()
OTHERS = {
    "src/app/__init__.py": "from app.registry import pick as choose, WORKFLOWS\n",
    "src/app/registry.py": """\
import random
from plugins import load, Host

WORKFLOWS = load()
TABLE = WORKFLOWS
HOST = Host()
def pick(kind, *rest):
    def inner(): ...
    return load(kind)
class Base:
    size: int
    def __init__(self, flow):
        self.flow = flow
    def start(self, workflow): return self.flow
class Runner(Base):
    host = Host()
    def run(self): ...
class Plugin(Host):
    def run(self): ...
""",
    "src/app/names.py": "from app.registry import *\nfrom unread import *\n",
}
HEAD = """\
import asyncio
import json
import app, app.registry
import billing.jobs
import billing.cards as cards
from dbos import DBOS, DBOSClient
from app import choose, registry as reg
from app.names import pick as starred, unheard_of
from app.registry import Base, Runner, Plugin, HOST
from billing import charge as take
from app.unparsed import audit
renamed = choose
nap = DBOS.sleep
client = billing.jobs.Client()
"""


def program(code: str, declare: dict[str, Kind] | None = None) -> tuple[Program, Unit]:
    """A project with `code` in `main.py`; `app/unparsed.py` is a file of it that is not read."""
    files = {**OTHERS, "main.py": HEAD + code}
    sources = [from_bytes(ROOT / name, text.encode()) for name, text in files.items()]
    modules = ModuleMap([*(source.path for source in sources), ROOT / "src/app/unparsed.py"], ROOT)
    parsed = [(number, source, parse(source)) for number, source in enumerate(sources)]
    built = Program.build(parsed, modules, dbos_api.load(), declare=declare)
    return built, built.units[len(parsed) - 1]


def argument(unit: Unit) -> ast.expr:
    """What `show(...)` is given."""
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "show":
            return node.args[0]
    raise AssertionError("no call of show")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        # functions, by where they are defined
        ("show(choose)", "app.registry.pick"),
        ("show(app.choose)", "app.registry.pick"),
        ("show(app.registry.pick)", "app.registry.pick"),
        ("show(reg.pick)", "app.registry.pick"),
        ("show(renamed)", "app.registry.pick"),
        ("show(starred)", "app.registry.pick"),
        ("def f(p): show(p)\nf(choose)", "app.registry.pick"),
        ("def f():\n    def g(): ...\n    show(g)", "main.f.g"),
        ("class C:\n    class D:\n        def m(self): ...\nshow(C.D.m)", "main.C.D.m"),
        ("show(lambda: 1)", None),
        # module variables
        ("show(reg.WORKFLOWS)", "app.registry.WORKFLOWS"),
        ("show(app.WORKFLOWS)", "app.registry.WORKFLOWS"),
        ("show(reg.TABLE)", "app.registry.WORKFLOWS"),
        ("def f(): show(client)", "main.client"),
        # classes and what is in them
        ("show(Runner)", "app.registry.Runner"),
        ("show(Runner(1).run)", "app.registry.Runner.run"),
        ("show(Runner(1).start)", "app.registry.Base.start"),
        ("show(Runner(1).flow)", "app.registry.Base.flow"),
        ("show(Runner.host)", "app.registry.Runner.host"),
        ("show(Runner.host.call)", "plugins.Host.call"),
        ("show(Plugin().call)", "app.registry.Plugin.call"),
        ("class Own(Runner):\n    def run(self): show(super().run)", "app.registry.Runner.run"),
        ("class Own(Runner):\n    def __init__(self, x): self.x = x\n    def go(self): show(self.x)", "main.Own.x"),
        # parameters and local variables
        ("def f(workflow): show(workflow)", "main.f.workflow"),
        ("class C:\n    def m(self, *, flow): show(flow)", "main.C.m.flow"),
        ("def f(a):\n    def g():\n        show(a)", "main.f.a"),
        ("def f(request): show(request.app.state)", "main.f.request.app.state"),
        ("def f(x):\n    y = x\n    show(y)", "main.f.x"),
        ("def f(x):\n    y = x() if x else x.a\n    show(y)", "main.f.y"),
        ("def f(x):\n    while x: x = x.next\n    show(x)", "main.f.x"),
        # packages and files that are not read
        ("show(take)", "billing.charge"),
        ("show(billing.jobs.refund)", "billing.jobs.refund"),
        ("show(cards.block)", "billing.cards.block"),
        ("show(client.refund)", "billing.jobs.Client.refund"),
        ("show(HOST.plugins.first)", "plugins.Host.plugins.first"),
        ("show(audit)", "app.unparsed.audit"),
        # nothing that could be declared
        ("show(nap)", None),
        ("show(DBOS.sleep)", None),
        ("show(DBOSClient('x').send)", None),
        ("show(asyncio.sleep)", None),
        ("show(print)", None),
        ("show(1)", None),
        ("show(choose('a'))", None),
        ("show(nothing)", None),
    ],
)
def test_symbol(code: str, name: str | None) -> None:
    built, unit = program(code)
    assert built.symbol(unit, argument(unit)) == name


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("show(choose('a'))", "app.registry.pick"),
        ("show(reg.WORKFLOWS['a'])", "app.registry.WORKFLOWS"),
        ("show(reg.WORKFLOWS.get('a'))", "app.registry.WORKFLOWS"),
        ("for k, w in reg.WORKFLOWS.items(): show(w)", "app.registry.WORKFLOWS"),
        ("async def f(): show(await cards.load('a'))", "billing.cards.load"),
        ("def f():\n    w = choose('a')\n    show(w)", "app.registry.pick"),
        ("def f(x):\n    w = x.flows['a'][0]()\n    show(w)", "main.f.x.flows"),
        ("def f():\n    w = getattr(reg, 'a')\n    show(w)", "main.f.w"),
        ("def f():\n    w = json.loads('a')\n    show(w)", "main.f.w"),
    ],
)
def test_what_gives_a_value(code: str, name: str) -> None:
    built, unit = program(code)
    assert name in built.symbols.of(unit.number, unit.facts.numbers[argument(unit)], gives=True)


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ("app.registry.pick", "show(choose)"),
        ("app.choose", "show(choose)"),
        ("main.choose", "show(reg.pick)"),
        ("app.names.pick", "show(choose)"),
        ("main.renamed", "show(renamed)"),
        ("app.registry.Runner.start", "show(Base(1).start)"),
        ("app.registry.Runner.flow", "show(Base(1).flow)"),
        ("app.registry.Plugin.call", "show(Plugin().call)"),
        ("billing.charge", "show(take)"),
        ("main.take", "show(take)"),
        ("app.unparsed.audit", "show(audit)"),
        ("json.dumps", "show(json.dumps)"),
        ("dbos.DBOS.sleep", "show(nap)"),
        ("main.client.refund", "show(client.refund)"),
    ],
)
def test_declared_by_any_of_its_names(declared: str, code: str) -> None:
    built, unit = program(code, {declared: "blocking"})
    assert not built.undefined
    assert built.declaration(unit, argument(unit)) == "blocking"


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"main.renamed": "harmless"}, "show(choose)"),
        ({"main.nap": "harmless"}, "show(DBOS.sleep)"),
        ({"app.registry.pick": "harmless"}, "show(choose('a'))"),
        ({"app.registry.pick": "harmless"}, "show(choose if len('a') else Runner)"),
        ({"app.registry.pick": "harmless", "app.registry.Runner": "blocking"}, "show(choose if 1 else Runner)"),
    ],
)
def test_a_declaration_says_nothing_of_others(declared: dict[str, Kind], code: str) -> None:
    built, unit = program(code, declared)
    assert built.declaration(unit, argument(unit)) is None


def test_all_that_a_callee_can_be_is_declared() -> None:
    both: dict[str, Kind] = {"app.registry.pick": "harmless", "app.registry.Runner": "harmless"}
    built, unit = program("show(choose if 1 else Runner)", both)
    assert built.declaration(unit, argument(unit)) == "harmless"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("app.registry.pik", "`app.registry` has no `pik`: did you mean `pick`?"),
        ("app.registry.pick.reste", "`app.registry.pick` has no `reste`: did you mean `rest`?"),
        ("app.registry.Runner.strat", "`app.registry.Runner` has no `strat`: did you mean `start`?"),
        ("app.registry.Runner.start.flow", "`app.registry.Base.start` has no `flow`"),
        ("app.regstry.pick", "`app` has no `regstry`: did you mean `registry`?"),
        ("app.pick", "`app` has no `pick`"),
        ("app.registry", "`app.registry` is a module: declare what is in it"),
        ("main.choose.kin", "`app.registry.pick` has no `kin`: did you mean `kind`?"),
    ],
)
def test_what_is_not_there(name: str, message: str) -> None:
    built, _ = program("", {name: "harmless"})
    assert built.declared == {}
    assert built.undefined[name].startswith(message)


@pytest.mark.parametrize(
    "name",
    ["app.registry.pick.inner", "app.registry.pick.kind", "app.registry.Base.start.workflow", "app.registry.Base.size",
     "app.registry.HOST.anything.else", "app.unparsed.anything", "app.names.anything", "elsewhere.pick", "ap.x"],
)  # fmt: skip
def test_what_is_there_or_may_be(name: str) -> None:
    built, _ = program("", {name: "harmless"})
    assert built.declared == {name: "harmless"}
    assert built.undefined == {}


def test_the_line_to_add() -> None:
    assert to_declare(["a.b", "c.d"], "harmless") == 'declare = {"a.b" = "harmless", "c.d" = "harmless"}'


WORKER = """\
from dbos import DBOS
from plugins import load


async def work(kind: str) -> str:
    return DBOS.start_workflow(load(kind)).workflow_id
"""


def test_the_line_that_a_finding_shows_settles_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, {"worker.py": WORKER, "pyproject.toml": "[tool.dbos-asyncify]\n"})
    found = run("check")
    assert found.exit_code == 1
    line = found.stdout[found.stdout.index("declare = ") : found.stdout.index("}") + 1]
    make(tmp_path, {"pyproject.toml": f"[tool.dbos-asyncify]\n{line}\n"})
    assert run("fix").exit_code == 0
    assert "await DBOS.start_workflow_async(load(kind))" in (tmp_path / "worker.py").read_text()


def test_a_mistyped_declaration_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = "[tool.dbos-asyncify.declare]\n\n'worker.wrok' = 'harmless'\n"
    make(tmp_path, {"worker.py": WORKER, "pyproject.toml": settings})
    told = run("check", "--exit-zero")
    assert told.exit_code == 2
    expected = "pyproject.toml:3: `worker.wrok` in `declare`: `worker` has no `wrok`: did you mean `work`?"
    assert expected in told.stderr.splitlines()
