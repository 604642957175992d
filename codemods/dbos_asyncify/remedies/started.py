"""Whether a workflow that is started is a coroutine: by what is known of it, or by what is declared."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from dbos_asyncify.project.facts import Cell, Join
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.symbols import Kind, to_be_declared
from dbos_asyncify.project.values import NONE, Bound, Func, Partial

_KINDS: dict[Kind, str] = {"async-workflow": "async", "sync-workflow": "sync"}


@dataclass(slots=True)
class Started:
    """What can be started: `kinds` of "sync", "async", "partial", "unknown"; `names` of what is not known."""

    program: Program
    kinds: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def by(cls, program: Program, unit: Unit, target: ast.expr | None) -> Started:
        """All that the expression `target` can be."""
        started = cls(program)
        if target is not None and target in unit.facts.numbers:
            started.look_at(unit, unit.facts.numbers[target])
        started.kinds = started.kinds or {"unknown"}
        return started

    def look_at(self, unit: Unit, node: int, above: str | None = None) -> None:
        """A declaration of what a node means, or gives, counts for all that it can be; else each part by itself.

        `above` is the name of the variable that it is a part of.
        """
        if (unit.number, node) in self.seen:
            return
        self.seen.add((unit.number, node))
        names = self.program.symbols.of(unit.number, node, gives=True)
        kind = next((_KINDS[kind] for name in names if (kind := self.program.declared.get(name)) in _KINDS), None)
        if kind is not None:
            self.kinds.add(kind)
            return
        name = to_be_declared(names) or above
        op = unit.facts.ops[node]
        if isinstance(op, (Join, Cell)):
            for part in op.nodes if isinstance(op, Join) else unit.facts.cells.get((op.scope, op.name), ()):
                self.look_at(unit, part, name)
            return
        for atom in self.program.values.value(unit.number, node):
            func = atom.func if isinstance(atom, Bound) else atom
            if isinstance(func, Func):
                declared = self.program.declared.get(self.program.symbols.of_atom(func) or "")
                known = "async" if self.program.function(func).is_async else "sync"
                self.kinds.add(_KINDS.get(declared, known) if declared else known)
            elif isinstance(func, Partial):
                self.kinds.add("partial")
            elif func is not NONE:
                self.kinds.add("unknown")
                self.names += [name] if name and name not in self.names else []
