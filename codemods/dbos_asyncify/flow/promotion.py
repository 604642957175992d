"""Which blocking helpers can become coroutine functions: proven over the whole program, or not done."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dbos_asyncify.flow.by_name import ByName
from dbos_asyncify.flow.crossings import Crossings, sync_functions
from dbos_asyncify.flow.helpers import Helpers, Local, blocks_by_itself
from dbos_asyncify.project import library
from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit
from dbos_asyncify.project.values import UNKNOWN, Atom, Bound, Cls, Ext, Func, Role
from dbos_asyncify.rules.blocking_helper import BlockingHelper
from dbos_asyncify.source import span

_PLAIN_DECORATORS = frozenset({"builtins.staticmethod", "builtins.classmethod"})
# Of these bases no method calls one that a class adds.
_PLAIN_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "dbos.DBOSConfiguredInstance",
     "pydantic.BaseModel", "enum.Enum"}
)  # fmt: skip
# And these decorators of classes call no method, nor hand the class to anything that would.
_PLAIN_CLASS_DECORATORS = frozenset(
    {"dataclass", "dbos_class", "total_ordering", "final", "runtime_checkable", "define", "frozen"}
)


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

    @cached_property
    def _by_name(self) -> ByName:
        return ByName(self.program)

    # the function itself

    def allowed(self, key: FunctionKey) -> bool:
        """Whether a function is of a kind that can be a coroutine function, and is only ever called by its name."""
        unit = self.program.units[key[0]]
        function = unit.facts.functions[key[1]]
        return (
            isinstance(function.node, ast.FunctionDef)
            and not function.is_generator
            and not (function.name.startswith("__") and function.name.endswith("__"))
            and all(self._is_only(unit, decorator, _PLAIN_DECORATORS) for decorator in function.decorators)
            and key not in self.program.overridden
            and self._class_allows(unit, function)
            and self._convertible(unit)
            and not self.program.silenced(unit.source.path, span(function.node, unit.source), BlockingHelper.code)
            and key not in self._handed_on
            and key not in self._implicit
            and not self._has_overloads(unit, function)
            and not self._by_name.finds(unit, function)
        )

    def _convertible(self, unit: Unit) -> bool:
        return self.program.convertible is None or unit.source.path in self.program.convertible

    def _is_only(self, unit: Unit, node: int, paths: Iterable[str]) -> bool:
        value = self.program.values.value(unit.number, node)
        return len(value) == 1 and all(isinstance(atom, Ext) and atom.path in paths for atom in value)

    def _class_allows(self, unit: Unit, function: Function) -> bool:
        """Whether nobody who is not read can call a method: a base class that is not part of the project, what a
        decorator hands the class to, a receiver that is not known."""
        if function.cls < 0:
            return True
        own = Cls(unit.number, function.cls)
        if function.name in self.program.read_of_unknown:
            return False
        if own in self._named_classes and not function.name.startswith("_"):
            return False
        for cls in (own, *self.program.bases(own)):
            here = self.program.units[cls.module].facts.classes[cls.index]
            bases = [atom for base in here.bases for atom in self.program.values.value(cls.module, base)]
            decorators = [atom for node in here.decorators for atom in self.program.values.value(cls.module, node)]
            if not all(map(_is_plain_base, bases)) or not all(map(_is_plain_class_decorator, decorators)):
                return False
        return True

    @cached_property
    def _named_classes(self) -> frozenset[Cls]:
        """The classes that strings name, and those that they derive from: their methods can be called, or replaced,
        out of sight."""
        found: set[Cls] = set()
        for unit in self.program.units.values():
            for node in unit.facts.numbers:
                if isinstance(node, ast.ClassDef) and node.name in self._by_name.strings:
                    for atom in self.program.value(unit, node):
                        found |= {atom, *self.program.bases(atom)} if isinstance(atom, Cls) else set()
        return frozenset(found)

    def _has_overloads(self, unit: Unit, function: Function) -> bool:
        """Whether signatures of the function stand beside it: they would have to change too."""
        return any(
            other.name == function.name
            and (other.parent, other.cls) == (function.parent, function.cls)
            and any(_is_overload(self.program, unit, decorator) for decorator in other.decorators)
            for other in unit.facts.functions
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
                keys = plain_functions(self.program.values.value(unit.number, number))
                if not keys:
                    continue
                parent = parents.get(node)
                if isinstance(parent, ast.Call) and parent.func is node and isinstance(node, (ast.Name, ast.Attribute)):
                    continue
                found |= keys
        return frozenset(found)

    @cached_property
    def _implicit(self) -> frozenset[FunctionKey]:
        """The functions that run somewhere without being called there."""
        spots = (spot for found in self.program.implicit_calls.values() for _, spot in found)
        return frozenset(key for spot in spots for key in plain_functions(spot.functions))

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
                    for key in plain_functions(callee):
                        found.setdefault(key, []).append(call)
        return found

    def _called_well(self, key: FunctionKey, program: Program) -> bool:
        """Whether every call stands in a coroutine, may be changed, and calls nothing but what is promoted."""
        for call in self._calls.get(key, ()):
            if not program.on_loop(call.unit, call.context) or program.expects_error(call.unit, call.context):
                return False
            if self._may_be_replaced(call.node.func):
                return False
            if program.silenced(call.path, call.span, BlockingHelper.code) or not self._convertible(call.unit):
                return False
            functions = sync_functions(call.callee)
            if functions is None or not {(f.module, f.index) for f in functions} <= program.promoted:
                return False
        return True

    def _may_be_replaced(self, func: ast.expr) -> bool:
        """Whether a call goes through an attribute that is set from afar, as tests do: `shop.mailer = Fake()`."""
        while isinstance(func, ast.Attribute):
            func = func.value
            if isinstance(func, ast.Attribute) and (func.attr in self._set or func.attr in self._by_name.strings):
                return True
        return False

    @cached_property
    def _set(self) -> frozenset[str]:
        """The names of attributes that are stored in something that is not known."""
        return frozenset(
            node.attr
            for unit in self.program.units.values()
            for node in unit.facts.numbers
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if not (owner := self.program.value(unit, node.value)) or UNKNOWN in owner
        )

    # its body

    def _body_can(self, key: FunctionKey, crossings: Crossings) -> bool:
        """Whether each call in the body that blocks has a fix that is safe, but for what runs beside the caller."""
        program = crossings.program
        beside = program.concurrency.runs_beside(*key)
        found = []
        for call in program.calls_in(key):
            if any(isinstance(atom, Ext) and library.runs_a_loop(atom.path) for atom in call.callee):
                return False  # it would raise on a loop that runs already
            found.append(self.local(call) or crossings.draft(call))
        for draft in (*found, *self.helpers.attributes(key)):
            if draft is None or not draft.rule.blocks:
                continue
            if draft.reason or program.silenced(draft.call.path, draft.call.span, draft.rule.code):
                return False
            if draft.caution and not beside:
                return False
        return not any(
            self.helpers.implicit(spot) or any(blocks_by_itself(program, atom) for atom in spot.functions)
            for _, spot in program.implicit_calls.get(key, ())
        )


def plain_functions(atoms: Iterable[Atom]) -> set[FunctionKey]:
    """The functions among these that DBOS knows nothing of."""
    functions = (atom.func if isinstance(atom, Bound) else atom for atom in atoms)
    return {(f.module, f.index) for f in functions if isinstance(f, Func) and f.role is Role.PLAIN}


def _is_overload(program: Program, unit: Unit, decorator: int) -> bool:
    atoms = program.values.value(unit.number, decorator)
    return any(isinstance(atom, Ext) and library.last_name(atom.path) == "overload" for atom in atoms)


def _is_plain_base(atom: Atom) -> bool:
    return isinstance(atom, Cls) or (isinstance(atom, Ext) and atom.path in _PLAIN_BASES)


def _is_plain_class_decorator(atom: Atom) -> bool:
    name = library.last_name(atom.path.removesuffix("()")) if isinstance(atom, Ext) else ""
    return name in _PLAIN_CLASS_DECORATORS
