"""What a synchronous function does when it is called while an event loop runs in its thread.

Two kinds of guards exist in dbos, both around `asyncio.get_running_loop()`: one raises where that
succeeds, the other logs a warning. A function raises or warns if it calls such a guard, or if
every call of it calls a function that does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from catalogue.source import Definition, Function, Method, Package

BLOCKS, WARNS, RAISES = "blocks", "warns", "raises"
_STRENGTH = (BLOCKS, WARNS, RAISES)
_DEPTH = 3
# How the library itself spells the one DBOS object.
_DBOS_RECEIVERS = frozenset({"DBOS", "dbos", "self.dbos", "_get_dbos_instance()"})


def strongest(behaviours: Iterable[str]) -> str:
    """The one that a caller must be ready for."""
    return max(behaviours, key=_STRENGTH.index, default=BLOCKS)


def on_loop(package: Package, method: Method) -> str:
    """How `method` behaves on a running loop: BLOCKS, WARNS or RAISES."""
    return _behaviour(package, method.module, method.owner, method.node, _DEPTH)


def _behaviour(package: Package, module: str, owner: str, function: Function, depth: int) -> str:
    own = _guard(function)
    if own != BLOCKS or not depth:
        return own
    found = [BLOCKS]
    for call, certain in _calls(function.body):
        target = _target(package, module, owner, call.func)
        # To call a coroutine function runs nothing of its body.
        if target is None or isinstance(target[2], ast.AsyncFunctionDef):
            continue
        if certain or _guard(target[2]) != BLOCKS:
            found.append(_behaviour(package, *target, depth - 1))
    return strongest(found)


def _guard(function: Function) -> str:
    """What the function's own test for a running loop leads to."""
    for index, statement in enumerate(function.body):
        if not isinstance(statement, ast.Try) or not _mentions(statement.body, "get_running_loop"):
            continue
        if any(isinstance(inner, ast.Raise) for inner in statement.orelse):
            return RAISES
        if _mentions(function.body[index + 1 :], "warning"):
            return WARNS
    return BLOCKS


def _mentions(statements: Iterable[ast.stmt], attribute: str) -> bool:
    nodes = (node for statement in statements for node in ast.walk(statement))
    return any(isinstance(node, ast.Attribute) and node.attr == attribute for node in nodes)


def _calls(statements: Iterable[ast.stmt], certain: bool = True) -> Iterator[tuple[ast.Call, bool]]:
    """The calls in `statements`, and whether they are made whenever the statements run."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        always = certain and isinstance(
            statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.Return | ast.With | ast.Try
        )
        for _, value in ast.iter_fields(statement):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.stmt):
                    yield from _calls([item], always)
                elif isinstance(item, ast.ExceptHandler):
                    yield from _calls(item.body, False)
                elif isinstance(item, ast.expr | ast.withitem):
                    yield from ((call, always) for call in _calls_in(item))


def _calls_in(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Lambda | ast.GeneratorExp):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls_in(child)


def _target(package: Package, module: str, owner: str, callee: ast.expr) -> tuple[str, str, Function] | None:
    """The function that a call inside the package runs: a function, or a method of this class or of DBOS."""
    if isinstance(callee, ast.Name):
        found = package.resolve(module, callee.id)
        if found is not None and isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return found.module, owner, found.node
        return None
    if not isinstance(callee, ast.Attribute):
        return None
    receiver = ast.unparse(callee.value)
    holder: Definition | None = None
    if receiver in {"self", "cls"}:
        holder = package.resolve(module, owner)
    elif receiver in _DBOS_RECEIVERS:
        holder = package.resolve(package.name, "DBOS")
    if holder is None or not isinstance(holder.node, ast.ClassDef):
        return None
    method = package.methods(holder).get(callee.attr)
    return (method.module, method.owner, method.node) if method else None
