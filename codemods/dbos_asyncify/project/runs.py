"""What a workflow runs: in which functions its steps are drawn, and what runs inside them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dbos_asyncify.project import facts as f
from dbos_asyncify.project.callees import awaited_methods, called_functions
from dbos_asyncify.project.program import FunctionKey, Program, Unit
from dbos_asyncify.project.values import Api, Atom, Bound, Func, Obj, Partial, Role


@dataclass(frozen=True, slots=True)
class Reach:
    """All functions that a workflow may run, child workflows apart: they have steps of their own.

    `own` are itself and the plain functions that run as part of it; `in_steps` are its steps and transactions, and
    what runs inside these: nothing of that is recorded by itself.
    """

    own: frozenset[FunctionKey]
    in_steps: frozenset[FunctionKey]


class _Edge(NamedTuple):
    """A function that another one runs; `in_step` where DBOS does that for it, as a step."""

    function: FunctionKey
    role: Role
    in_step: bool = False


class Runs:
    """Who runs whom in a program. What is handed to a call, or defined in a function, counts as run by it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._edges: dict[FunctionKey, set[_Edge]] = {}
        for unit in program.units.values():
            self._read(unit)
        for caller, spots in program.implicit_calls.items():
            for _, implicit in spots:
                self._add(caller, implicit.functions)

    def by(self, workflow: FunctionKey) -> Reach:
        """What a workflow runs."""
        around = {(func.module, func.index) for func in self.program.values.wrappers.get(workflow, ())}
        own = self._closure({workflow, *around}, lambda edge: edge.role is Role.PLAIN and not edge.in_step)
        steps = {edge.function for key in own for edge in self._of(key)} - own
        return Reach(frozenset(own), frozenset(self._closure(steps, lambda edge: True) - own))

    def _read(self, unit: Unit) -> None:
        facts = unit.facts
        for number, op in enumerate(facts.ops):
            node = facts.nodes[number]
            if isinstance(op, f.Call) and isinstance(node, ast.Call):
                caller = (unit.number, facts.contexts[number].function)
                callee = self.program.value(unit, node.func)
                self._add(caller, callee, node)
                self._add(caller, self._handed(unit, node), in_step=any(isinstance(atom, Api) for atom in callee))
        for node, number in facts.numbers.items():
            for name in awaited_methods(facts.parents.get(node), node):
                for atom in self.program.values.value(unit.number, number):
                    if isinstance(atom, Obj):
                        caller = (unit.number, facts.contexts[number].function)
                        self._add(caller, self.program.values.attribute(atom, name))
        for function in facts.functions:
            if function.parent >= 0:
                inner = Func(unit.number, function.index, self.program.role((unit.number, function.index)))
                self._add((unit.number, function.parent), [inner] if inner.role is Role.PLAIN else [])

    def _handed(self, unit: Unit, call: ast.Call) -> Iterator[Atom]:
        """The functions among the arguments of a call."""
        for argument in (*call.args, *(word.value for word in call.keywords)):
            yield from (a for a in self.program.value(unit, argument) if isinstance(a, (Func, Bound, Partial)))

    def _add(
        self, caller: FunctionKey, atoms: Iterable[Atom], call: ast.Call | None = None, *, in_step: bool = False
    ) -> None:
        for func in called_functions(self.program.values, atoms, call):
            self._edges.setdefault(caller, set()).add(_Edge((func.module, func.index), func.role, in_step))

    def _of(self, key: FunctionKey) -> Iterator[_Edge]:
        return (edge for edge in self._edges.get(key, ()) if edge.role is not Role.WORKFLOW)

    def _closure(self, start: set[FunctionKey], follow: Callable[[_Edge], bool]) -> set[FunctionKey]:
        found = set(start)
        pending = list(found)
        while pending:
            for edge in self._of(pending.pop()):
                if follow(edge) and edge.function not in found:
                    found.add(edge.function)
                    pending.append(edge.function)
        return found
