"""Who else needs a helper to stay as it is: synchronous callers, tables, callbacks, subclasses."""

from __future__ import annotations

from hypothesis import strategies as st

from random_projects.builder import Builder
from random_projects.model import Call, Function, Kind, Name, Other, Raw, Text


def _helpers(build: Builder) -> list[Function]:
    return [function for function in build.callees if function.kind is Kind.HELPER]


def sync_callers(build: Builder) -> None:
    """Scripts and reports, which run without a loop."""
    for _ in range(build.draw(st.integers(0, 2)) if _helpers(build) else 0):
        function = build.new(Kind.HELPER, "main")
        function.owner = function.method = ""
        function.params = [("v", None)]
        function.body = [build.in_place(build.expression(function)) for _ in range(2)]
        helper = build.pick(_helpers(build))
        function.body.append(build.in_place(Call(helper, build.args(helper, function))))
        build.keep(function)


def references(build: Builder) -> None:
    """Helpers that something else than a call refers to."""
    for _ in range(build.draw(st.integers(0, 2)) if _helpers(build) else 0):
        helper = build.pick(_helpers(build))
        if helper.owner:
            _override(build, helper)
        else:
            _refer(build, helper)


def _refer(build: Builder, helper: Function) -> None:
    after = build.project.modules[build.module].after
    templates = {
        "registered": "{1}({0})",
        "in a dictionary": "table@ = {{'a': {0}}}",
        "key": "def ranks@(given):\n    return sorted(given, key={0})",
        "partial": "later@ = functools.partial({0}, 1)",
    }
    how = build.pick([*templates, "exported", "decorated", "lambda", "in a thread"])
    if how == "exported":
        build.project.modules[helper.module].exported.append(helper.name)
        helper.pinned = True
    elif how == "decorated":
        helper.decorator = "cache"
    elif how == "lambda":
        after.append(build.unique("later@ = lambda v=1: {0}", Raw(Call(helper, build.args(helper, helper)))))
    elif how == "in a thread":
        build.project.modules[build.module].asyncio_style = "asyncio"
        build.count += 1
        coroutine = Function(f"tick_{build.count}", Kind.COROUTINE, build.module, params=[("v", None)], migrated=True)
        ones = "".join(", 1" for _ in helper.params)
        coroutine.body.append(Text(f"await asyncio.to_thread({{0}}{ones})", (Name(helper),)))
        build.keep(coroutine)
    else:
        after.append(build.unique(templates[how], Name(helper), Other(0, "register")))


def _override(build: Builder, helper: Function) -> None:
    """A subclass with a method of the same name."""
    helper.pinned = True
    first = {"self": "self, ", "class": "cls, ", "static": ""}[helper.method]
    params = first + ", ".join(name for name, _ in helper.params)
    decorator = f"@{helper.method}method\n    " if helper.method != "self" else ""
    build.count += 1
    head = f"class Special{build.count}({{0}}):\n    {decorator}def {helper.name}({params}):"
    base = Other(helper.module, helper.owner)
    text = Text(head + "\n        return {1}", (base, Raw(build.api(helper))))
    build.project.modules[helper.module].after.append(text)
