"""The bodies of functions: what they call, in which places."""

from __future__ import annotations

from hypothesis import strategies as st

from random_projects import handles, specials
from random_projects.builder import Builder
from random_projects.model import Bare, Call, Function, Kind, NestedCall, Stream, Text, Word

_STEPS = (Kind.STEP, Kind.SYNC_STEP)


def body(build: Builder, function: Function, least: int = 0) -> None:
    """Give a function its statements, at least so many."""
    if function.kind is Kind.TRANSACTION:
        function.body.append(Text("return v"))
        return
    for _ in range(build.draw(st.integers(least, 3))):
        function.body.extend(_statements(build, function))
    if function.kind is Kind.HELPER and build.chance(8):
        function.body.append(Text("if v == 99:\n    {0}", (Call(function, Text(_ones(function))),)))
    if build.chance(3):
        function.body.append(Text("return {0}", (build.expression(function),)))
    else:
        function.body.append(Text("return v"))


def _ones(function: Function) -> str:
    return ", ".join("1" for _ in function.params)


def _statements(build: Builder, within: Function) -> list[Text]:
    ways = {"place": _place, "nested": _nested, "stream": _stream}
    chosen = ["place"] * 5
    if not within.migrated:
        chosen += ["nested", "stream"]
        if within.kind not in _STEPS:
            ways["handle"] = handles.statements
            chosen += ["handle"] * 2
        ways["special"] = specials.statements
        chosen += ["special"]
        if within.kind.is_coroutine and build.chance(4):
            ways["gather"] = _gather
            chosen += ["gather"]
    return ways[build.pick(chosen)](build, within)


def _place(build: Builder, within: Function) -> list[Text]:
    return [build.in_place(build.expression(within))]


def _nested(build: Builder, within: Function) -> list[Text]:
    """A function in a function, which is called there."""
    text = build.unique("{0}def inner@(x):\n    print(x, {1})", Word(), build.api(within))
    name = f"inner{build.count}"
    build.project.nested.add(name)
    if build.chance(2):
        more = build.unique("    print({0})", build.expression(within))
        text = Text("{0}\n{1}", (text, more))
    return [text, build.in_place(NestedCall(name, Text("v")))]


def _stream(build: Builder, within: Function) -> list[Text]:
    template = build.pick(("{0}for item in {1}:\n    print(item)", "v@ = [item {0}for item in {1}]"))
    return [build.unique(template, Word(), Stream(build.unique("'w', #")))]


def _gather(build: Builder, within: Function) -> list[Text]:
    """Coroutines that run beside each other: in a workflow mostly ones of one step, or with a history of their own."""
    coroutines = [function for function in build.allowed(within) if function.kind.is_coroutine]
    if not build.chance(8):
        coroutines = [function for function in coroutines if function.kind is not Kind.COROUTINE]
    if not coroutines:
        return []
    one, two = (build.pick(coroutines) for _ in range(2))
    calls = [Bare(Call(function, Text(_ones(function)))) for function in (one, two)]
    build.project.modules[build.module].asyncio_style = "asyncio"
    return [build.unique("v@ = await asyncio.gather({0}, {1})", *calls)]
