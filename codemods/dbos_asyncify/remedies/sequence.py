"""The edits that await what a `gather` is given one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import count

from dbos_asyncify.edits import Edit, InSequence, InStatements
from dbos_asyncify.project.program import CallSite, Program, Unit
from dbos_asyncify.remedies.remedy import Remedy
from dbos_asyncify.source import Source, span

_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAMES = ("task", "each", "one")


def in_sequence(program: Program, spot: CallSite, gather: ast.Call | None = None) -> Remedy:
    """`await asyncio.gather(x, y)` as `[await x, await y]`; `spot` is the `gather`, or stands in its file."""
    unit = spot.unit
    call = gather or spot.node
    parent = unit.facts.parents.get(call)
    if not isinstance(parent, ast.Await):
        return Remedy(reason="the `gather` is not awaited where it stands: await one after the other by hand")
    if call.keywords:
        return Remedy(
            reason="it gives errors as results (`return_exceptions`): await one after the other, each in a `try`"
        )
    variable = _free_name(program, spot)
    return Remedy((edit_of(unit, parent, call, variable),))


def edit_of(unit: Unit, awaited: ast.Await, call: ast.Call, variable: str) -> Edit:
    """The edit for the `call` that is awaited there; `variable` is a free name for one of several awaitables."""
    above = unit.facts.parents[awaited]
    function = _function_of(unit, awaited)
    if isinstance(above, ast.Expr) and function is not None and _fits_lines(unit.source, above, call.args):
        used = set(_names_outside(function, call))
        if not used & {name for argument in call.args for name in _bound_by(argument)}:
            return InStatements(span(above, unit.source), variable, _indent(unit.source, function))
    return InSequence(span(awaited, unit.source), variable, _is_unpacked(above, call.args))


def _fits_lines(source: Source, statement: ast.Expr, arguments: Sequence[ast.expr]) -> bool:
    """Whether it has its lines to itself, and no comment stands where it cannot keep its place."""
    before = source.lines[statement.lineno - 1].encode()[: statement.col_offset]
    behind = source.lines[(statement.end_lineno or 0) - 1].encode()[statement.end_col_offset :].lstrip(b"; \t").strip()
    if before.strip() or (behind and not behind.startswith(b"#")):
        return False
    loops = [argument.value for argument in arguments if isinstance(argument, ast.Starred)]
    lines = [line for loop in loops for line in source.lines[loop.lineno - 1 : (loop.end_lineno or 0) - 1]]
    return not any("#" in line for line in lines)


def _is_unpacked(above: ast.AST | None, arguments: Sequence[ast.expr]) -> bool:
    """Whether the values are taken apart at once: `a, b = await gather(x, y)`."""
    return (
        isinstance(above, ast.Assign)
        and len(above.targets) == 1
        and isinstance(above.targets[0], (ast.Tuple, ast.List))
        and len(arguments) > 1
        and not any(isinstance(argument, ast.Starred) for argument in arguments)
    )


def _function_of(unit: Unit, node: ast.AST) -> ast.AsyncFunctionDef | None:
    """The coroutine function around a node."""
    above: ast.AST | None = node
    while above is not None and not isinstance(above, _Function):
        above = unit.facts.parents.get(above)
    return above if isinstance(above, ast.AsyncFunctionDef) else None


def _indent(source: Source, function: ast.AsyncFunctionDef) -> str:
    """One level of indentation, as in this function."""
    outer, inner = (_blanks(source, node.lineno) for node in (function, function.body[0]))
    return inner.removeprefix(outer) or " " * 4


def _blanks(source: Source, line: int) -> str:
    text = source.lines[line - 1]
    return text[: len(text) - len(text.lstrip(" \t"))]


def _bound_by(argument: ast.expr) -> Iterator[str]:
    """The variables that a starred comprehension keeps to itself, and a loop would not."""
    if isinstance(argument, ast.Starred) and isinstance(argument.value, (ast.ListComp, ast.GeneratorExp)):
        for clause in argument.value.generators:
            yield from (node.id for node in ast.walk(clause.target) if isinstance(node, ast.Name))


def _names_outside(function: ast.AST, call: ast.Call) -> Iterator[str]:
    """The names that a function uses outside of `call`, but for those that comprehensions keep to themselves."""
    pending: list[tuple[ast.AST, frozenset[str]]] = [(function, frozenset())]
    while pending:
        node, own = pending.pop()
        if node is call:
            continue
        if isinstance(node, _Comprehension):
            targets = [name for clause in node.generators for name in ast.walk(clause.target)]
            own = own | {name.id for name in targets if isinstance(name, ast.Name)}
        if isinstance(node, ast.Name) and node.id not in own:
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from node.names
        pending.extend((child, own) for child in ast.iter_child_nodes(node))


def _free_name(program: Program, spot: CallSite) -> str:
    """A name for one of several awaitables that the function does not use."""
    function = program.enclosing(spot.unit, spot.context)
    node = function.node if function else spot.unit.tree
    taken = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    taken |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    names = (name + "_" * number for number in count() for name in _NAMES)
    return next(name for name in names if name not in taken)
