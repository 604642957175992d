"""Programs that hand a workflow handle about in every way, run before and after the migration.

A stand-in for dbos tells what is called; the coroutines of its asynchronous forms must be awaited. Whatever the tool
changes, the program must give the same result and make the same calls in the same order.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import types
import warnings
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest

from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.source import from_bytes

PATH = Path("/project/main.py").absolute()
HEAD = """\
import asyncio
from dbos import DBOS, WorkflowHandle
@DBOS.workflow()
async def wf(x=0): return x
"""
PRODUCERS = ("DBOS.start_workflow(wf, 1)", "DBOS.retrieve_workflow(1)", "DBOS.resume_workflows([1, 2])[0]")
CARRIERS = {
    "variable": """\
async def main():
    h = PRODUCER
    USE
""",
    "unpacked": """\
async def main():
    h, k = PRODUCER, 5
    USE
""",
    "walrus": """\
async def main():
    if (h := PRODUCER):
        USE
""",
    "list": """\
async def main():
    hs = [PRODUCER for _ in range(2)]
    out = []
    for h in hs:
        out.append(await one(h)) if False else None
    h = hs[0]
    USE
async def one(h): return 1
""",
    "popped": """\
async def main():
    hs = []
    hs.append(PRODUCER)
    hs.extend([PRODUCER])
    h = hs.pop()
    USE
""",
    "dict_get": """\
async def main():
    d = {'a': PRODUCER}
    d['b'] = PRODUCER
    h = d.get('b')
    USE
""",
    "dict_items": """\
async def main():
    d = dict(a=PRODUCER)
    for k, h in d.items():
        USE
""",
    "attribute": """\
class K:
    async def go(self):
        self.h = PRODUCER
    async def end(self):
        h = self.h
        USE
async def main():
    k = K()
    await k.go()
    return await k.end()
""",
    "module_variable": """\
H = None
async def go():
    global H
    H = PRODUCER
async def main():
    await go()
    h = H
    USE
""",
    "returned": """\
async def make():
    return PRODUCER
async def main():
    h = await make()
    USE
""",
    "parameter": """\
async def use(h):
    USE
async def main():
    return await use(PRODUCER)
""",
    "star_parameter": """\
async def use(*hs, **kw):
    h = hs[0]
    USE
async def main():
    return await use(PRODUCER, x=1)
""",
    "keyword_parameter": """\
async def use(*, h: WorkflowHandle):
    USE
async def main():
    return await use(h=PRODUCER)
""",
    "closure": """\
async def main():
    h = PRODUCER
    async def inner():
        USE
    return await inner()
""",
    "try_finally": """\
async def main():
    h = None
    try:
        h = PRODUCER
    finally:
        print('x')
    USE
""",
    "for_else": """\
async def main():
    for i in range(2):
        h = PRODUCER
    else:
        pass
    USE
""",
    "tuple": """\
async def main():
    t = (PRODUCER, 3)
    h = t[0]
    USE
""",
    "set_next": """\
async def main():
    s = {PRODUCER}
    h = next(iter(s))
    USE
""",
    "conditional": """\
async def main():
    h = PRODUCER if 1 else None
    USE
""",
    "dataclass": """\
from dataclasses import dataclass
@dataclass
class J:
    h: WorkflowHandle
async def main():
    j = J(PRODUCER)
    h = j.h
    USE
""",
    "inherited_attribute": """\
class B:
    h = None
    async def go(self): self.h = PRODUCER
class S(B):
    async def end(self):
        h = self.h
        USE
async def main():
    s = S(); await s.go()
    return await s.end()
""",
    "property": """\
class B:
    def __init__(self, h): self._h = h
    @property
    def h(self): return self._h
async def main():
    b = B(PRODUCER)
    h = b.h
    USE
""",
    "identity": """\
def ident(x): return x
async def main():
    h = ident(PRODUCER)
    USE
""",
    "async_generator": """\
async def agen():
    yield PRODUCER
async def main():
    async for h in agen():
        USE
""",
    "star_target": """\
async def main():
    hs = [PRODUCER, PRODUCER]
    h, *rest = hs
    USE
""",
    "reversed_enumerated": """\
async def main():
    hs = [PRODUCER, PRODUCER]
    for i, h in enumerate(reversed(hs)):
        USE
""",
    "sorted_by_key": """\
async def main():
    hs = sorted([PRODUCER], key=lambda q: q.workflow_id)
    h = hs[0]
    USE
""",
    "wait_first": """\
async def main():
    hs = [PRODUCER]
    h = DBOS.wait_first(hs)
    USE
""",
    "match": """\
async def main():
    match PRODUCER:
        case h:
            USE
""",
    "alias_and_del": """\
async def main():
    h = PRODUCER
    k = h
    del h
    h = k
    USE
""",
    "mapped": """\
async def main():
    hs = list(map(lambda i: i, [PRODUCER]))
    h = hs[0]
    USE
""",
    "lambda_result": """\
async def main():
    hs = [x for x in [PRODUCER] if x]
    h = (lambda: hs[0])()
    USE
""",
    "task": """\
async def main():
    t = asyncio.create_task(mk())
    h = await t
    USE
async def mk():
    return PRODUCER
""",
    "gathered_list": """\
async def main():
    r = await asyncio.gather(mk(), mk())
    h = r[0]
    USE
async def mk():
    return PRODUCER
""",
    "decorated": """\
def deco(f):
    async def w(*a):
        return await f(*a)
    return w
@deco
async def mk():
    return PRODUCER
async def main():
    h = await mk()
    USE
""",
    "nested_list": """\
async def main():
    stack = [[PRODUCER], []]
    h = stack[0][0]
    USE
""",
    "null_context": """\
async def main():
    with __import__('contextlib').nullcontext(PRODUCER) as h:
        USE
""",
    "namespace": """\
async def main():
    h = getattr(types_ns(x=PRODUCER), 'x')
    USE
import types
def types_ns(**k): return types.SimpleNamespace(**k)
""",
}
USES = (
    "return h.get_result()",
    "return (h.get_status().status, h.get_result(), h.workflow_id)",
    "return await asyncio.to_thread(h.get_result)",
    "return [h.get_result() for _ in range(1)]",
    "return sum(h.get_result() for _ in [1])",
    "f = h.get_result\nINDENTreturn f()",
    "return fin(h)",
    "return await afin(h)",
    'return f"{h.get_result()}"',
    "x = h\nINDENTreturn x.get_result() + 1",
    "return (lambda: h.get_result())()",
    "return any(h.get_result() for _ in [1])",
    "return list(map(lambda q: q.get_result(), [h]))",
    'return {"r": h.get_result()}["r"]',
    "return None if h is None else h.get_result()",
    "return await asyncio.gather(asyncio.to_thread(h.get_result))",
    "print(h)\nINDENTassert h\nINDENTreturn h.get_result() ** 2",
    "def g(): return h.get_result()\nINDENTreturn g()",
    "def g(): return h.get_result()\nINDENTreturn await asyncio.to_thread(g)",
)
HELPERS = """
def fin(h): return h.get_result()
async def afin(h): return h.get_result()
"""


class Handle:
    """Both kinds of handles: what `get_result` gives is what `wrap` makes of it."""

    def __init__(self, calls: list[str], value: object, wrap: Callable[[object], object]) -> None:
        self.calls, self.value, self.wrap = calls, value, wrap
        self.workflow_id = f"id-{value}"

    def __class_getitem__(cls, item: object) -> type:
        return cls

    def told(self, what: str, result: object) -> object:
        def work() -> object:
            self.calls.append(f"{what} {self.value}")
            return result

        return self.wrap(work)

    def get_result(self) -> object:
        return self.told("result", self.value)

    def get_status(self) -> object:
        return self.told("status", types.SimpleNamespace(status=f"status {self.value}"))


def now(work: Any) -> object:
    return work()


async def later(work: Any) -> object:
    return work()


def stand_in() -> types.ModuleType:
    """A module that passes for dbos; `calls` is what was called."""
    module: Any = types.ModuleType("dbos")
    calls: list[str] = []

    def form(wrap: Callable[[Any], Any], name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            def work() -> Any:
                if name == "wait_first":
                    return next(iter(args[0]))
                calls.append(f"{name} {args[-1]}")
                if name == "resume_workflows":
                    return [Handle(calls, value, wrap) for value in args[0]]
                return Handle(calls, args[-1], wrap)

            return wrap(work)

        return call

    names = ("start_workflow", "retrieve_workflow", "resume_workflows", "wait_first")
    members: dict[str, Any] = {name: staticmethod(form(now, name)) for name in names}
    members.update({f"{name}_async": staticmethod(form(later, name)) for name in names})
    members["workflow"] = staticmethod(lambda: lambda function: function)
    module.DBOS = type("DBOS", (), members)
    module.WorkflowHandle = module.WorkflowHandleAsync = Handle
    module.calls = calls
    return module  # type: ignore[no-any-return]


def outcome(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[object, list[str]]:
    """What `main()` gives and which calls it makes; raises what it raises, also for a coroutine never awaited."""
    dbos = stand_in()
    monkeypatch.setitem(sys.modules, "dbos", dbos)
    names: dict[str, Any] = {"__name__": "program"}
    monkeypatch.setitem(sys.modules, "program", types.ModuleType("program"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(compile(text, "program", "exec"), names)
        main: Callable[[], Coroutine[Any, Any, object]] = names["main"]
        result = asyncio.run(main())
        gc.collect()
    forgotten = [str(warning.message) for warning in caught if "never awaited" in str(warning.message)]
    assert not forgotten
    return result, dbos.calls


def programs(carrier: str) -> Iterable[str]:
    for producer in PRODUCERS:
        for use in USES:
            line = next(line for line in carrier.splitlines() if "USE" in line)
            indent = line[: len(line) - len(line.lstrip())]
            body = carrier.replace("USE", use.replace("INDENT", indent)).replace("PRODUCER", producer)
            yield HEAD + body + (HELPERS if "fin(" in use else "")


@pytest.mark.slow
@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_the_program_does_the_same(carrier: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = 0
    for text in programs(carrier):
        try:
            before = outcome(text, monkeypatch)
        except TypeError:
            continue  # this use does not fit this producer, migrated or not
        result = analyse([from_bytes(PATH, text.encode())], [PATH], PATH.parent, Options())
        assert not result.problems, text
        after = result.changes[0].after.decode() if result.changes else text
        assert outcome(after, monkeypatch) == before, after
        ran += 1
    assert ran > len(USES)
