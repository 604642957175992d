"""Whether a value is only ever told to people: in a log, on the terminal, in a trace."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbos_asyncify.project import library
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import Api, Bound, Ext, Func

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Program, Unit

_LOGS = ("dbos.DBOS.logger.", "logging.", "loguru.", "structlog.")
# What is made of a value by these is followed as the value is.
_PARTS = (
    ast.Attribute, ast.BinOp, ast.BoolOp, ast.Compare, ast.Dict, ast.FormattedValue, ast.IfExp, ast.JoinedStr, ast.List,
    ast.Starred, ast.Subscript, ast.Tuple, ast.UnaryOp,
)  # fmt: skip


def only_logged(program: Program, unit: Unit, node: ast.expr) -> bool:
    """Whether nothing is done with the value of `node`, and with what is computed of it, but to log it."""
    pending: list[ast.expr] = [node]
    seen: set[ast.expr] = set()
    while pending:
        here = pending.pop()
        if here in seen:
            continue
        seen.add(here)
        goes_to = _goes_to(program, unit, here)
        if goes_to is None:
            return False
        pending.extend(goes_to)
    return True


def _goes_to(program: Program, unit: Unit, node: ast.expr) -> list[ast.expr] | None:
    """The expressions that the value of `node` goes into: none if it is logged or dropped; None: it goes elsewhere."""
    parent = unit.facts.parents.get(node)
    if isinstance(parent, ast.keyword):
        parent = unit.facts.parents[parent]
    match parent:
        case ast.Expr():
            return []
        case ast.Call():
            if parent.func is node or _is_pure(program, unit, parent):
                return [parent]
            return [] if logs(program, unit, parent) else None
        case ast.NamedExpr(target=target):
            return [parent, *_reads(unit, target)]
        case ast.Assign(targets=targets) if all(_is_local(unit, target) for target in targets):
            return [read for target in targets for read in _reads(unit, target)]
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target) if _is_local(unit, target):
            return list(_reads(unit, target))
        case ast.If(test=test, body=body, orelse=orelse) if node is test:
            statements = [*body, *orelse]
            return [] if all(_only_logs(program, unit, statement) for statement in statements) else None
    return [parent] if isinstance(parent, _PARTS) else None


def logs(program: Program, unit: Unit, call: ast.Call) -> bool:
    """Whether a call writes a log, prints, or adds to a trace."""
    callee = program.value(unit, call.func)
    if callee == {Ext("builtins.print")}:
        return True
    if not isinstance(call.func, ast.Attribute) or any(isinstance(atom, (Func, Bound, Api)) for atom in callee):
        return False
    if call.func.attr in library.TRACE_METHODS:
        return True
    known = [atom.path for atom in callee if isinstance(atom, Ext)]
    is_log = "log" in ast.unparse(call.func.value).lower() and not any(path.startswith("math.") for path in known)
    return call.func.attr in library.LOG_METHODS and (is_log or any(path.startswith(_LOGS) for path in known))


def _only_logs(program: Program, unit: Unit, statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return logs(program, unit, statement.value)
    return isinstance(statement, ast.Pass)


def _is_pure(program: Program, unit: Unit, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "format":
        return True
    callee = program.value(unit, call.func)
    return bool(callee) and all(isinstance(atom, Ext) and atom.path in library.PURE for atom in callee)


def _owner(unit: Unit, name: ast.Name) -> int:
    """The scope whose variable a name means; -1 for the module's."""
    facts = unit.facts
    if name in facts.numbers and facts.numbers[name] in facts.name_scopes:
        scope = facts.name_scopes[facts.numbers[name]]
    else:
        function = facts.contexts[facts.numbers[name]].function if name in facts.numbers else -1
        scope = facts.functions[function].scope if function >= 0 else 0
    return owner_of(facts.scopes, scope, name.id)


def _is_local(unit: Unit, target: ast.expr) -> bool:
    if not isinstance(target, ast.Name):
        return False
    owner = _owner(unit, target)
    return owner >= 0 and unit.facts.scopes[owner].kind == "function"


def _reads(unit: Unit, target: ast.expr) -> Iterator[ast.expr]:
    """Where the variable that is assigned to is read."""
    assert isinstance(target, ast.Name)
    owner = _owner(unit, target)
    for node in unit.facts.numbers:
        if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load):
            if _owner(unit, node) == owner:
                yield node
