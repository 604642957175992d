"""`self.total += f()`: the old value is read before `f()` is awaited, so what others write meanwhile is lost."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import Program, Spot, Unit
from dbos_asyncify.project.values import Cls, Ext
from dbos_asyncify.source import span

_MAKES_NEW = frozenset(
    {"builtins.dict", "builtins.list", "builtins.set", "collections.defaultdict", "collections.Counter",
     "collections.deque", "collections.OrderedDict"}
)  # fmt: skip
_DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)

LOSES_UPDATE = "the old value is read before this is awaited: what others write meanwhile is lost"


def may_lose_update(program: Program, spot: Spot) -> bool:
    """Whether an `await` here would stand between reading and writing something that other coroutines reach."""
    unit = spot.unit
    node: ast.AST = spot.node
    while isinstance(node, ast.expr):
        node = unit.facts.parents[node]
    if isinstance(node, ast.AugAssign):
        return is_shared(program, spot, node.target)
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        (target,) = node.targets
        return _is_read_before(unit, target, node.value, spot) and is_shared(program, spot, target)
    return False


def _is_read_before(unit: Unit, target: ast.expr, value: ast.expr, spot: Spot) -> bool:
    """Whether a sum such as `self.total + f()` reads what it is assigned to."""
    written = ast.unparse(target)
    return any(
        ast.unparse(part) == written and span(part, unit.source) < spot.span
        for part in ast.walk(value)
        if isinstance(part, type(target))
    )


def is_shared(program: Program, spot: Spot, target: ast.expr) -> bool:
    """Whether others reach what is assigned to: not a local variable, nor what is in one and was made there."""
    root = target
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    function = program.enclosing(spot.unit, spot.context)
    if not isinstance(root, ast.Name) or function is None:
        return True
    facts = spot.unit.facts
    scope = facts.scopes[function.scope]
    if root.id not in scope.bound or root.id in scope.shared:
        return True
    return root is not target and not all(
        _is_new(program, spot.unit, facts.nodes[definition])
        for definition in facts.cells.get((function.scope, root.id), ())
    )


def _is_new(program: Program, unit: Unit, name: ast.AST | None) -> bool:
    """Whether a definition of a variable makes the object that it holds."""
    statement = unit.facts.parents.get(name) if name is not None else None
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or isinstance(name, ast.arg):
        return False
    value = statement.value
    if isinstance(value, ast.Call):
        made = program.value(unit, value.func)
        return all(isinstance(a, Cls) or (isinstance(a, Ext) and a.path in _MAKES_NEW) for a in made)
    return isinstance(value, _DISPLAYS)
