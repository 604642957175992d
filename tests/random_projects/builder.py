"""What everything that is drawn has in common: names, numbers, places, expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

from random_projects.expressions import CLIENT_CALLS, DBOS_CALLS, ON_RESULTS, PLACES
from random_projects.model import Api, Call, Function, Kind, Part, Project, Text

T = TypeVar("T")
_WORDS = ("mail", "stock", "price", "order", "label", "audit")
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

    def helper(self, stem: str, *params: str) -> Function:
        """A plain function at the top of the module that calls dbos."""
        self.count += 1
        function = Function(f"{stem}_{self.count}", Kind.HELPER, self.module, params=[(name, None) for name in params])
        function.body.append(self.in_place(self.api(function)))
        return self.keep(function)

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
        if self.chance(10):
            return self.look_alike()
        return (None if self.chance(3) else self.call(within)) or self.api(within)

    def look_alike(self) -> Part:
        """A call of something else that is called as dbos calls things."""
        before = self.project.modules[self.module].before
        own = "class Mailer:\n" + "\n".join(
            f"    def {name}(self, *args):\n        return self" for name in ("send", "sleep", "get_result", "enqueue")
        )
        if not any(text.template == own for text in before):
            before.append(Text(own))
        return Text(self.pick(("Mailer().send(1)", "Mailer().sleep(1).get_result()", "Mailer().enqueue('w', 1)")))

    def in_place(self, expression: Part) -> Text:
        """A statement around an expression."""
        on_result = isinstance(expression, Api) and expression.origin is None and self.chance(6)
        return self.unique(self.pick(ON_RESULTS if on_result else PLACES), expression)
