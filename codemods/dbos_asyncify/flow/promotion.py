"""Which blocking helpers can become coroutine functions: proven over the whole program, or not done."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from dbos_asyncify.findings import Safety
from dbos_asyncify.flow.by_name import ByName
from dbos_asyncify.flow.crossings import Crossings, sync_functions
from dbos_asyncify.flow.helpers import Helpers, Local, blocks_by_itself
from dbos_asyncify.project import library
from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit
from dbos_asyncify.project.values import UNKNOWN, Atom, Bound, Cls, Ext, Func, Role
from dbos_asyncify.rules.blocking_helper import BlockingHelper

_PLAIN_DECORATORS = frozenset({"builtins.staticmethod", "builtins.classmethod"})
# Bases of which no method calls one that a class adds.
_PLAIN_BASES = frozenset(
    {"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol", "dbos.DBOSConfiguredInstance",
     "pydantic.BaseModel", "enum.Enum"}
)  # fmt: skip


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
            and not self._by_name.finds(unit, function)
            and not self._has_overloads(unit, function)
            and (self.program.writable is None or unit.source.path in self.program.writable)
            and key not in self._handed_on
            and key not in self._implicit
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
        if function.name in self.program.read_of_unknown:
            return False
        cls = Cls(unit.number, function.cls)
        for here in (cls, *self.program.bases(cls)):
            for base in self.program.units[here.module].facts.classes[here.index].bases:
                for atom in self.program.values.value(here.module, base):
                    known = isinstance(atom, Cls) or (isinstance(atom, Ext) and atom.path in _PLAIN_BASES)
                    if not known:
                        return False
        return True

    @cached_property
    def _by_name(self) -> ByName:
        return ByName(self.program)

    @cached_property
    def _implicit(self) -> frozenset[FunctionKey]:
        """The functions that run somewhere without being called there."""
        spots = (spot for found in self.program.implicit_calls.values() for _, spot in found)
        return frozenset(key for spot in spots for key in _functions_in(spot.functions))

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
            if self._may_be_replaced(call.node.func):
                return False
            if program.silenced(call.path, call.span, BlockingHelper.code):
                return False
            if program.writable is not None and call.path not in program.writable:
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


def _functions_in(atoms: Iterable[Atom]) -> set[FunctionKey]:
    functions = (atom.func if isinstance(atom, Bound) else atom for atom in atoms)
    return {(f.module, f.index) for f in functions if isinstance(f, Func) and f.role is Role.PLAIN}


def _is_overload(program: Program, unit: Unit, decorator: int) -> bool:
    atoms = program.values.value(unit.number, decorator)
    return any(isinstance(atom, Ext) and library.last_name(atom.path) == "overload" for atom in atoms)
