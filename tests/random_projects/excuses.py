"""Which statements need not come back as they were: those that findings say were left, and what follows from them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

from random_projects.heads import Head

_WAITS = frozenset({"get_result", "get_status"})


@dataclass(frozen=True)
class Triple:
    """One statement in the three versions of a file."""

    path: str
    before: Head
    wanted: Head
    after: Head


class Excuses:
    """`reported` tells whether a finding without a fix stands on a statement of the input."""

    def __init__(self, triples: Sequence[Triple], reported: Callable[[str, Head], bool]) -> None:
        self.reported = reported
        self.triples = triples
        self.known: dict[str, bool] = {}
        heads_of = [triple for triple in triples if re.match(r"(async )?def |@", triple.wanted.text)]
        self.unpromoted = {
            triple.wanted.function for triple in heads_of if triple.wanted.asynchronous > triple.after.asynchronous
        }

    def statement(self, triple: Triple) -> bool:
        if triple.wanted.text == triple.after.text.replace("WorkflowHandle[", "WorkflowHandleAsync["):
            return True  # an annotation stays with its handle, which the statements that use it tell
        if self.reported(triple.path, triple.before) or self._in_a_thread(triple):
            return True
        unchanged = triple.after.text == triple.before.text
        return unchanged and (self.function(triple.before.function) or self.function(triple.before.outer))

    def function(self, name: str) -> bool:
        """A helper that stayed as it was: its calls are reported, go to a thread, or stand in such helpers."""
        if name not in self.unpromoted:
            return False
        if name not in self.known:
            self.known[name] = True  # a call of itself is no new reason
            calls = [triple for triple in self.triples if re.search(rf"\b(the_)?{name}\(", triple.before.text)]
            calls = [triple for triple in calls if not re.match(rf"(@\S+\s+)*def {name}\(", triple.before.text)]
            self.known[name] = all(self.statement(triple) for triple in calls)
        return self.known[name]

    def _in_a_thread(self, triple: Triple) -> bool:
        """Whether the tool calls a helper in a thread that could have become a coroutine: right, if not as wanted."""
        try:
            wanted = ast.parse(triple.wanted.text)
        except SyntaxError:  # an `except` or a `case`
            return False
        for alias in ("asyncio", "aio"):
            for names in (self.unpromoted, self.unpromoted | _WAITS):
                tree = _ThroughThreads(names, alias).visit(ast.parse(ast.unparse(wanted)))
                if ast.unparse(tree) == triple.after.text:
                    return True
        return False


class _ThroughThreads(ast.NodeTransformer):
    def __init__(self, names: Container[str], alias: str) -> None:
        self.names = names
        self.alias = alias

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name.removeprefix("the_") not in self.names:
            return node
        to_thread = ast.Attribute(ast.Name(self.alias), "to_thread")
        return ast.Await(ast.Call(to_thread, [call.func, *call.args], call.keywords))
