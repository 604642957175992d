"""Which blocking helpers can become coroutine functions: proven over the whole program, or not done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dbos_asyncify.findings import Safety
from dbos_asyncify.flow.crossings import Crossings, sync_functions
from dbos_asyncify.flow.helpers import Helpers, Local, blocks_by_itself
from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit
from dbos_asyncify.project.values import Atom, Bound, Cls, Ext, Func, Role
from dbos_asyncify.rules.blocking_helper import BlockingHelper

_PLAIN_DECORATORS = frozenset({"builtins.staticmethod", "builtins.classmethod"})
# Bases of which no method calls one that a class adds.
_PLAIN_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "dbos.DBOSConfiguredInstance",
     "pydantic.BaseModel", "enum.Enum"}
)  # fmt: skip
# They are given the name of a function as a string.
_BY_NAME = frozenset({"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "object"})


@dataclass(frozen=True)
class Promotion:
    """Finds the largest set of helpers that can all become coroutine functions together."""

    program: Program
    helpers: Helpers
    local: Local

    def functions(self, without: frozenset[FunctionKey]) -> frozenset[FunctionKey]:
        """The helpers to promote, if those in `without` are not."""
        chosen = {key for key in self.helpers.links if key not in without and self.allowed(key)}
        while True:
            program = self.program.with_promoted(chosen)
            crossings = Crossings(program, self.helpers)
            kept = {key for key in chosen if self._called_well(key, program) and self._body_can(key, crossings)}
            if kept == chosen:
                return frozenset(chosen)
            chosen = kept

    # the function itself

    def allowed(self, key: FunctionKey) -> bool:
        """Whether a function is of a kind that can be a coroutine function, and is only ever called by its name."""
        unit = self.program.units[key[0]]
        function = unit.facts.functions[key[1]]
        node = function.node
        return (
            isinstance(node, ast.FunctionDef)
            and not function.is_generator
            and not (function.name.startswith("__") and function.name.endswith("__"))
            and self._decorators_allow(unit, function)
            and key not in self.program.overridden
            and self._class_allows(unit, function)
            and not self._named(unit, function)
            and (self.program.writable is None or unit.source.path in self.program.writable)
            and key not in self._handed_on
        )

    def _decorators_allow(self, unit: Unit, function: Function) -> bool:
        values = [self.program.values.value(unit.number, decorator) for decorator in function.decorators]
        return all(
            len(value) == 1 and all(isinstance(atom, Ext) and atom.path in _PLAIN_DECORATORS for atom in value)
            for value in values
        )

    def _class_allows(self, unit: Unit, function: Function) -> bool:
        """Whether nobody who is not read can call a method: a base class that is not part of the project, a receiver
        that is not known."""
        if function.cls < 0:
            return True
        cls = Cls(unit.number, function.cls)
        if function.name in self.program.read_of_unknown or cls in self._named_classes:
            return False
        for here in (cls, *self.program.bases(cls)):
            for base in self.program.units[here.module].facts.classes[here.index].bases:
                for atom in self.program.values.value(here.module, base):
                    known = isinstance(atom, Cls) or (isinstance(atom, Ext) and atom.path in _PLAIN_BASES)
                    if not known:
                        return False
        return True

    def _named(self, unit: Unit, function: Function) -> bool:
        """Whether a string somewhere names the function (`__all__`, `patch("app.mail.notify")`, `getattr`), or a file
        that could not be parsed may."""
        if function.name in self._strings:
            return True
        if any(re.search(rf"\b{function.name}\b", text) for text in self.program.unread):
            return True
        return any(text.endswith(f".{function.name}") for text in self._module_paths)

    @cached_property
    def _named_classes(self) -> frozenset[Cls]:
        """The classes that strings name, and those that they derive from: their methods can be called, or replaced,
        out of sight."""
        found: set[Cls] = set()
        for unit in self.program.units.values():
            for node in unit.facts.numbers:
                if isinstance(node, ast.ClassDef) and node.name in self._strings:
                    for atom in self.program.value(unit, node):
                        found |= {atom, *self.program.bases(atom)} if isinstance(atom, Cls) else set()
        return frozenset(found)

    @cached_property
    def _strings(self) -> frozenset[str]:
        """The names that strings give: in `__all__`, to `getattr` and the like, at the end of a dotted path. And those
        that `patch.multiple` is given as keywords."""
        found: set[str] = set()
        for unit in self.program.units.values():
            parents = unit.facts.parents
            for node in unit.facts.numbers:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "multiple":
                    found.update(word.arg for word in node.keywords if word.arg)
                if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                    continue
                path = re.fullmatch(r"(?:\w+\.)+(?:\w+[.:])*(\w+)|\w+:(\w+)", node.value)
                if path:
                    found.add(path[1] or path[2])
                if not node.value.isidentifier():
                    continue
                parent = parents.get(node)
                if isinstance(parent, ast.Call):
                    name = parent.func.attr if isinstance(parent.func, ast.Attribute) else ast.unparse(parent.func)
                    if name in _BY_NAME:
                        found.add(node.value)
                elif _in_all(parents, node):
                    found.add(node.value)
        return frozenset(found)

    @cached_property
    def _module_paths(self) -> frozenset[str]:
        """What is read from modules that are imported by a computed name."""
        return frozenset(
            atom.path
            for unit in self.program.units.values()
            for node in unit.facts.numbers
            if isinstance(node, ast.Attribute)
            for atom in self.program.value(unit, node)
            if isinstance(atom, Ext) and atom.path.startswith("importlib.import_module()")
        )

    # its calls

    @cached_property
    def _handed_on(self) -> frozenset[FunctionKey]:
        """The functions that are also used in another way than by calling them by name."""
        found: set[FunctionKey] = set()
        for unit in self.program.units.values():
            parents = unit.facts.parents
            for node, number in unit.facts.numbers.items():
                if not isinstance(node, ast.expr) or isinstance(getattr(node, "ctx", None), ast.Store):
                    continue
                keys = _functions_in(self.program.values.value(unit.number, number))
                if not keys:
                    continue
                parent = parents.get(node)
                if isinstance(parent, ast.Call) and parent.func is node and isinstance(node, (ast.Name, ast.Attribute)):
                    continue
                found |= keys
        return frozenset(found)

    @cached_property
    def _calls(self) -> dict[FunctionKey, list[CallSite]]:
        """All calls of each function, those that are expected to raise included."""
        found: dict[FunctionKey, list[CallSite]] = {}
        for unit in self.program.units.values():
            for node, number in unit.facts.numbers.items():
                if isinstance(node, ast.Call):
                    context = unit.facts.contexts[number]
                    callee = self.program.callee(unit, node)
                    call = CallSite(unit, node, number, context, callee)
                    for key in _functions_in(callee):
                        found.setdefault(key, []).append(call)
        return found

    def _called_well(self, key: FunctionKey, program: Program) -> bool:
        """Whether every call stands in a coroutine, may be changed, and calls nothing but what is promoted."""
        for call in self._calls.get(key, ()):
            if not program.on_loop(call.unit, call.context) or program.expects_error(call.unit, call.context):
                return False
            if program.silenced(call.path, call.span, BlockingHelper.code):
                return False
            if program.writable is not None and call.path not in program.writable:
                return False
            functions = sync_functions(call.callee)
            if functions is None or not {(f.module, f.index) for f in functions} <= program.promoted:
                return False
        return True

    # its body

    def _body_can(self, key: FunctionKey, crossings: Crossings) -> bool:
        """Whether each call in the body that blocks has a fix that is safe, but for what runs beside the caller."""
        program = crossings.program
        beside = program.concurrency.runs_beside(*key)
        found = [self.local(call) or crossings.draft(call) for call in program.calls_in(key)]
        for draft in (*found, *self.helpers.attributes(key)):
            if draft is None or not draft.rule.blocks:
                continue
            if draft.reason or program.silenced(draft.call.path, draft.call.span, draft.rule.code):
                return False
            if draft.safety is not Safety.SAFE and not beside:
                return False
        return not any(
            self.helpers.implicit(spot) or any(blocks_by_itself(program, atom) for atom in spot.functions)
            for _, spot in program.implicit_calls.get(key, ())
        )


def _functions_in(atoms: Iterator[Atom] | frozenset[Atom]) -> set[FunctionKey]:
    functions = (atom.func if isinstance(atom, Bound) else atom for atom in atoms)
    return {(f.module, f.index) for f in functions if isinstance(f, Func) and f.role is Role.PLAIN}


def _in_all(parents: dict[ast.AST, ast.AST], node: ast.AST) -> bool:
    """Whether a string stands in `__all__ = [...]`, or is added to it."""
    while isinstance(parents.get(node), ast.expr):
        node = parents[node]
    statement = parents.get(node)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
    return isinstance(statement, ast.Expr) and "__all__" in ast.unparse(statement)
