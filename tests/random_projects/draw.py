"""Makes up projects. Functions are drawn callees first, so calls never go in circles (but into themselves)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from random_projects import handles
from random_projects.expressions import CLIENT_CALLS, DBOS_CALLS, PLACES, PLANTED
from random_projects.imports import STYLES
from random_projects.model import (
    Api,
    Bare,
    Call,
    Function,
    Kind,
    Module,
    Name,
    NestedCall,
    Part,
    Project,
    Raw,
    Shared,
    Stream,
    Text,
    Word,
)

T = TypeVar("T")
_WORDS = ("mail", "stock", "price", "order", "label", "audit")
_KINDS = (
    *([Kind.HELPER] * 7), *([Kind.COROUTINE] * 3), *([Kind.WORKFLOW] * 3),
    Kind.SYNC_WORKFLOW, Kind.SYNC_STEP, Kind.TRANSACTION, Kind.STEP,
)  # fmt: skip
_WITH_METHODS = {Kind.HELPER, Kind.COROUTINE}


@dataclass
class Builder:
    """One project while it is being made up."""

    draw: st.DrawFn
    project: Project
    module: int = 1
    count: int = 0
    owners: dict[int, str] = field(default_factory=dict)
    callees: list[Function] = field(default_factory=list)

    def pick(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def chance(self, of: int) -> bool:
        """True once in `of` times; False is the simpler one."""
        return self.draw(st.integers(0, of - 1)) == of - 1

    def unique(self, template: str, *holes: Part) -> Text:
        """A text with its own number for `@` and its own strings for `#`."""
        while "#" in template:
            self.count += 1
            template = template.replace("#", f"'key-{self.count}-'", 1)
        self.count += "@" in template
        return Text(template.replace("@", str(self.count)), holes)

    def new(self, kind: Kind, stem: str = "") -> Function:
        """A function without a body, in a class or not."""
        self.count += 1
        function = Function(f"{stem or self.pick(_WORDS)}_{self.count}", kind, self.module)
        if kind in _WITH_METHODS and self.chance(3):
            function.method = self.pick(("self", "self", "class", "static"))
            function.owner = self.owner()
        return function

    def owner(self) -> str:
        return self.owners.setdefault(self.module, f"Desk{self.module}")

    def keep(self, function: Function) -> Function:
        self.project.functions.append(function)
        return function

    # expressions

    def api(self, within: Function) -> Part:
        receivers = ["DBOS", "DBOS", "DBOS", "client"]
        if within.method == "self":
            receivers.append("self.client")
        receiver = self.pick(receivers)
        calls = DBOS_CALLS if receiver == "DBOS" else CLIENT_CALLS
        name, args, form = self.pick(calls)
        return Api(receiver, name, self.unique(args), form)

    def allowed(self, within: Function) -> list[Function]:
        """What a function may call: a plain one no coroutines, a step no workflows."""
        steps = within.kind in (Kind.STEP, Kind.SYNC_STEP)
        return [
            function
            for function in self.callees
            if (within.kind.is_coroutine or not function.kind.is_coroutine)
            and (not steps or function.kind in (Kind.HELPER, Kind.COROUTINE))
        ]

    def call(self, within: Function) -> Part | None:
        allowed = self.allowed(within)
        if not allowed or within.migrated:
            return None
        near = [function for function in allowed[-4:] if function.kind is Kind.HELPER] or allowed[-4:]
        function = self.pick(near if self.chance(2) else allowed)
        return Call(function, self.args(function, within), self.chance(4))

    def args(self, function: Function, within: Function) -> Text:
        given: list[str] = []
        holes: list[Part] = []
        for name, _ in function.params:
            how = self.pick(("plain", "keyword", "call"))
            value = self.pick(("1", "v"))
            if how == "call":
                value = f"{{{len(holes)}}}"
                holes.append(self.api(within))
            given.append(f"{name}={value}" if how == "keyword" or (given and "=" in given[-1]) else value)
        return Text(", ".join(given), tuple(holes))

    def expression(self, within: Function) -> Part:
        return (None if self.chance(3) else self.call(within)) or self.api(within)

    # statements

    def statements(self, within: Function) -> list[Text]:
        which = ["place"] * 5
        if not within.migrated:
            which += ["handle"] * 2 + ["nested", "stream"]
            if within.kind.is_coroutine:
                which += ["planted", "gather"] if self.chance(4) else []
        chosen = self.pick(which)
        if chosen == "handle" and within.kind not in (Kind.STEP, Kind.SYNC_STEP):
            return handles.statements(self, within)
        if chosen == "nested":
            inner = self.unique("{0}def inner@(x):\n    print(x, {1})", Word(), self.api(within))
            name = f"inner{self.count}"
            self.project.nested.add(name)
            return [inner, self.in_place(NestedCall(name, Text("v")))]
        if chosen == "stream":
            template = self.pick(("{0}for item in {1}:\n    print(item)", "v@ = [item {0}for item in {1}]"))
            return [self.unique(template, Word(), Stream(self.unique("'w', #")))]
        if chosen == "planted":
            return [self.planted()]
        if chosen == "gather":
            return self.gather(within)
        return [self.in_place(self.expression(within))]

    def in_place(self, expression: Part) -> Text:
        return self.unique(self.pick(PLACES), expression)

    def planted(self) -> Text:
        """A call that nobody can await where it stands."""
        text = self.unique(self.pick(PLANTED), Raw(Api("DBOS", "get_event", self.unique("'w', #"))))
        inner = text.holes[0]
        assert isinstance(inner, Raw)
        assert isinstance(inner.inner, Api)
        self.project.planted.append(inner.inner.args.template.split("'")[3])
        return text

    def gather(self, within: Function) -> list[Text]:
        coroutines = [function for function in self.allowed(within) if function.kind.is_coroutine]
        if not coroutines:
            return []
        one, two = (self.pick(coroutines) for _ in range(2))
        calls = [Bare(Call(function, Text(", ".join("1" for _ in function.params)))) for function in (one, two)]
        self.project.modules[self.module].asyncio_style = "asyncio"
        return [self.unique("v@ = await asyncio.gather({0}, {1})", *calls)]

    def body(self, function: Function, least: int = 0) -> None:
        if function.kind is not Kind.TRANSACTION:
            for _ in range(self.draw(st.integers(least, 3))):
                function.body.extend(self.statements(function))
        if self.chance(3) and function.kind is not Kind.TRANSACTION:
            function.body.append(Text("return {0}", (self.expression(function),)))
        else:
            function.body.append(Text("return v"))


def _modules(build: Builder) -> None:
    project = build.project
    names = ("setup", "store", "letters", "flows", "jobs", "web")
    for number in range(build.draw(st.integers(2, len(names)))):
        deep = number > 0 and build.chance(4)
        module = Module((project.package, *(["core"] if deep else []), names[number]))
        module.styles = {target: build.pick(STYLES) for target in range(number)}
        module.dbos_style = build.pick(("from", "from", "as", "module", "setup"))
        module.asyncio_style = build.pick(("", "", "", "asyncio", "aio"))
        module.future = build.chance(4)
        project.modules.append(module)
    project.modules[0].asyncio_style = ""


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Whole projects."""
    project = Project(draw(st.sampled_from(("app", "shop"))), draw(st.sampled_from(("", "src"))), draw(st.booleans()))
    build = Builder(draw, project)
    _modules(build)
    last = len(project.modules) - 1
    size = draw(st.integers(2, 12))
    for index in range(size):
        build.module = max(build.module, 1 + index * last // size)
        function = build.new(build.pick(_KINDS) if index < size - 1 else Kind.WORKFLOW)
        function.params = [("v", None)] if build.chance(2) else [("v", None), ("w", None)]
        if function.kind.is_coroutine and build.chance(8):
            function.migrated = True
        build.body(function, least=1 if function.kind is Kind.HELPER else 0)
        build.callees.append(build.keep(function))
    build.module = last
    _sync_callers(build)
    _references(build)
    return project


def _helpers(build: Builder) -> list[Function]:
    return [function for function in build.callees if function.kind is Kind.HELPER]


def _sync_callers(build: Builder) -> None:
    """Scripts and reports, which run without a loop."""
    for _ in range(build.draw(st.integers(0, 2)) if _helpers(build) else 0):
        function = build.new(Kind.HELPER, "main")
        function.owner = function.method = ""
        function.params = [("v", None)]
        function.body = [build.in_place(build.expression(function)) for _ in range(2)]
        helper = build.pick(_helpers(build))
        function.body.append(build.in_place(Call(helper, build.args(helper, function))))
        build.keep(function)


def _references(build: Builder) -> None:
    """Helpers that something else than a call refers to."""
    plain = [function for function in _helpers(build) if not function.owner]
    for _ in range(build.draw(st.integers(0, 2)) if plain else 0):
        helper = build.pick(plain)
        module = build.project.modules[build.module]
        how = build.pick(("register", "dict", "all", "decorator", "key", "lambda"))
        if how == "register":
            module.after.append(build.unique("{0}({1})", Shared("register"), Name(helper)))
        elif how == "dict":
            module.after.append(build.unique("table@ = {{'a': {0}}}", Name(helper)))
        elif how == "all":
            build.project.modules[helper.module].exported.append(helper.name)
            helper.pinned = True
        elif how == "decorator":
            helper.decorator = "cache"
        elif how == "key":
            module.after.append(build.unique("def ranks@(given):\n    return sorted(given, key={0})", Name(helper)))
        else:
            module.after.append(build.unique("later@ = lambda: {0}", Raw(Call(helper, build.args(helper, helper)))))
