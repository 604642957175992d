"""Where each coroutine of a program is read: the expressions that can be it, or a container that holds it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.values import Atom, Box, Coro, Site

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Unit

Place = tuple["Unit", ast.expr]


@dataclass(slots=True)
class Coroutines:
    """By the site of the call that makes a coroutine: `itself` are the expressions that can be it, `inside` those
    that can be a container of it."""

    itself: dict[Site, list[Place]] = field(default_factory=dict)
    inside: dict[Site, list[Place]] = field(default_factory=dict)

    @classmethod
    def of(cls, units: Mapping[int, Unit], values: Values) -> Coroutines:
        found = cls()
        held: dict[Atom, frozenset[Site]] = {}
        for unit in units.values():
            for node, number in unit.facts.numbers.items():
                if not isinstance(node, ast.expr) or _is_no_value(node):
                    continue
                for atom in values.value(unit.number, number):
                    if isinstance(atom, Coro):
                        found.itself.setdefault(atom.site, []).append((unit, node))
                    elif isinstance(atom, Box):
                        if atom not in held:
                            made = [each for each in contained(values, [atom]) if isinstance(each, Coro)]
                            held[atom] = frozenset(each.site for each in made)
                        for site in held[atom]:
                            found.inside.setdefault(site, []).append((unit, node))
        return found


def _is_no_value(node: ast.expr) -> bool:
    """What is written to, what only spells an argument, and the sums that the analysis takes for one of their parts."""
    if isinstance(node, (ast.Starred, ast.BinOp)) or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
        return True
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)


def contained(values: Values, atoms: Iterable[Atom]) -> Iterator[Atom]:
    """These, with what containers among them hold in place of the containers."""
    pending = list(atoms)
    seen: set[Atom] = set()
    while pending:
        atom = pending.pop()
        if atom in seen:
            continue
        seen.add(atom)
        if isinstance(atom, Box):
            pending.extend(values.contents(atom.site))
        else:
            yield atom
