"""What becomes of a coroutine: whether anything awaits it, and where it only looks as if."""

from __future__ import annotations

import ast
from enum import Enum, auto

from dbos_asyncify.project import library
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import (
    NONE,
    Api,
    Atom,
    Bound,
    BoxMethod,
    Cls,
    Coro,
    Ext,
    Func,
    HandleMethod,
    Site,
    Value,
)


class Use(Enum):
    """What the place where it stands does to a coroutine."""

    DROPPED = auto()  # nothing
    READ = auto()  # takes it for the value that it would give
    NAMED = auto()  # a local variable keeps it, or a larger expression is it: the reads of those decide
    KEPT = auto()  # stored, returned or yielded
    PASSED = auto()  # given to a function of the project or of dbos
    AWAITED = auto()  # awaits it, or may do so


# `x.result()` of a task, `x.close()` of a coroutine that is not wanted: whoever says that knows what it is.
_OWN_ATTRIBUTES = frozenset(
    {"add_done_callback", "cancel", "cancelled", "close", "done", "exception", "get_name", "result", "send",
     "set_name", "throw", "__await__"}
)  # fmt: skip
_ASKS_WHAT_IT_IS = frozenset({"callable", "hash", "id", "isinstance", "issubclass", "type"})
_READERS = library.SAME_ELEMENTS | library.HARMLESS | {"enumerate"}


def is_lost(program: Program, unit: Unit, node: ast.expr) -> bool:
    """Whether nothing awaits the coroutine that `node` makes, and nothing could: it is handed to nobody."""
    use = use_of(program, unit, node)
    if use is not Use.NAMED:
        return use in (Use.DROPPED, Use.READ)
    places = [place for site in _sites(program.value(unit, node)) for place in program.coroutines.itself[site]]
    return all(use_of(program, *place) in (Use.DROPPED, Use.READ, Use.NAMED) for place in places)


def is_awaited(program: Program, value: Value) -> bool:
    """Whether something awaits a coroutine that `value` can be, or may do so, wherever the program carries it."""
    coroutines = program.coroutines
    places = [
        place
        for site in _sites(value)
        for place in (*coroutines.itself.get(site, ()), *coroutines.inside.get(site, ()))
    ]
    return any(use_of(program, *place) is Use.AWAITED for place in places)


def _sites(value: Value) -> list[Site]:
    return [atom.site for atom in value if isinstance(atom, Coro)]


def use_of(program: Program, unit: Unit, node: ast.expr) -> Use:
    """What happens to a coroutine, or to a container of some, that stands at `node`."""
    parent = unit.facts.parents.get(node)  # none in an annotation that is a string
    match parent:
        case ast.Expr():
            return Use.DROPPED
        case ast.Await() | ast.YieldFrom() | ast.AsyncFor():
            return Use.AWAITED
        case ast.Assign(targets=targets):
            return max((_stored(unit, node, target) for target in targets), key=lambda use: use.value)
        case ast.AnnAssign(target=target) | ast.NamedExpr(target=target):
            return _stored(unit, node, target)
        case ast.IfExp() if node is not parent.test:
            return Use.NAMED
        case ast.BoolOp():
            return Use.NAMED
        case ast.Attribute():
            known = parent.attr in _OWN_ATTRIBUTES or parent.attr.startswith(("cr_", "_"))
            return Use.AWAITED if known else Use.READ
        case ast.Starred() | ast.keyword():
            above = unit.facts.parents[parent]
            return _given(program, unit, above, parent) if isinstance(above, ast.Call) else Use.KEPT
        case ast.Call():
            return Use.READ if parent.func is node else _given(program, unit, parent, node)
        case ast.comprehension() if node is parent.iter and parent.is_async:
            return Use.AWAITED
        case ast.Subscript(ctx=ctx) if node is parent.slice and not isinstance(ctx, ast.Load):
            return Use.KEPT
    read = (
        ast.Compare, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice, ast.IfExp, ast.If, ast.While, ast.Assert,
        ast.FormattedValue, ast.For, ast.comprehension, ast.Match, ast.match_case, ast.AugAssign,
    )  # fmt: skip
    return Use.READ if isinstance(parent, read) else Use.KEPT


def _stored(unit: Unit, node: ast.expr, target: ast.expr) -> Use:
    if isinstance(target, (ast.Tuple, ast.List)):
        return Use.READ  # unpacked: it is no sequence
    if not isinstance(target, ast.Name):
        return Use.KEPT
    facts = unit.facts
    function = facts.contexts[facts.numbers[node]].function
    owner = owner_of(facts.scopes, facts.functions[function].scope, target.id) if function >= 0 else -1
    return Use.NAMED if owner >= 0 and facts.scopes[owner].kind == "function" else Use.KEPT


def _given(program: Program, unit: Unit, call: ast.Call, argument: ast.AST) -> Use:
    """What a call does to its argument."""
    callee = [atom for atom in program.value(unit, call.func) if atom is not NONE]
    in_thread = any(isinstance(atom, Ext) and atom.path in library.THREAD for atom in callee)
    if in_thread and call.args and argument is not call.args[0]:  # what the thread calls gets it
        callee = [atom for atom in program.value(unit, call.args[0]) if atom is not NONE]
    if len(call.args) == 2 and callee == [Ext("builtins.isinstance")]:
        return _compared_with(program.value(unit, call.args[1]))
    return max((_given_to(atom) for atom in callee), key=lambda use: use.value, default=Use.AWAITED)


def _compared_with(classes: Value) -> Use:
    """`isinstance(x, list)` takes it for a value, `isinstance(x, Awaitable)` does not."""
    of_values = [isinstance(a, Cls) or (isinstance(a, Ext) and a.path.startswith("builtins.")) for a in classes]
    return Use.READ if of_values and all(of_values) else Use.KEPT


def _given_to(atom: Atom) -> Use:
    match atom:
        case Func() | Bound() | HandleMethod():
            return Use.PASSED
        case Api(name=name):
            return Use.AWAITED if name == "asyncio_wait" else Use.PASSED
        case BoxMethod():
            return Use.KEPT
        case Ext(path):
            name = library.last_name(path)
            if path.startswith("builtins."):
                return Use.READ if name in _READERS - _ASKS_WHAT_IT_IS else Use.KEPT
            return Use.READ if path.startswith("logging.") and name in library.LOG_METHODS else Use.AWAITED
    return Use.AWAITED
