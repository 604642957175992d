"""`await gather(x, y)` that became `[await x, await y]`, or one statement each."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbos_asyncify.edits import AsyncComprehension, Bracket, InSequence, InStatements, anchor
from dbos_asyncify.verify.error import VerifyError

if TYPE_CHECKING:
    from dbos_asyncify.verify.trees import Comparison


def compare_value(comparison: Comparison, edit: InSequence, before: ast.Await, after: ast.AST) -> None:
    """Raise VerifyError unless `after` awaits each argument of the call in `before`."""
    arguments = _arguments(before)
    if isinstance(arguments[0], ast.Starred) and len(arguments) == 1:
        _compare_loop(comparison, edit, arguments[0].value, after)
        return
    if not isinstance(after, ast.Tuple if edit.as_tuple else ast.List) or len(after.elts) != len(arguments):
        raise VerifyError(f"`{ast.unparse(before)}` became `{ast.unparse(after)}`")
    for argument, element in zip(arguments, after.elts, strict=True):
        if isinstance(argument, ast.Starred):
            if not isinstance(element, ast.Starred):
                raise VerifyError(f"`{ast.unparse(argument)}` is not spread")
            _compare_loop(comparison, edit, argument.value, element.value)
        else:
            comparison.same(argument, _awaited(element))


def compare_statement(comparison: Comparison, edit: InStatements, before: ast.Expr, after: Sequence[object]) -> int:
    """Raise VerifyError unless `after` begins with a statement for each argument; how many these are."""
    if not isinstance(before.value, ast.Await):
        raise VerifyError(f"`{ast.unparse(before)}` is not awaited")
    arguments = _arguments(before.value)
    if len(after) < len(arguments):
        raise VerifyError("something was removed")
    for argument, statement in zip(arguments, after, strict=False):
        if not isinstance(argument, ast.Starred):
            comparison.same(argument, _awaited(_expression(statement)))
        elif isinstance(argument.value, (ast.ListComp, ast.GeneratorExp)):
            _compare_nested(comparison, argument.value, statement)
        else:
            variable = _named(edit.variable)
            if not isinstance(statement, ast.For) or statement.orelse or ast.dump(statement.target) != variable:
                raise VerifyError(f"`{ast.unparse(argument)}` became another loop")
            comparison.same(argument.value, statement.iter)
            _compare_name(edit.variable, _awaited(_expression(_only(statement.body))))
    return len(arguments)


def _arguments(awaited: ast.Await) -> list[ast.expr]:
    call = awaited.value
    if not isinstance(call, ast.Call) or call.keywords or not call.args:
        raise VerifyError(f"`{ast.unparse(awaited)}` has not only positional arguments")
    return call.args


def _compare_loop(comparison: Comparison, edit: InSequence, before: ast.expr, after: ast.AST) -> None:
    """The iterable after a star, and the list of what its elements give."""
    if not isinstance(after, ast.ListComp):
        raise VerifyError(f"`{ast.unparse(before)}` did not become a list")
    if isinstance(before, (ast.ListComp, ast.GeneratorExp)):
        comparison.taken(anchor(before), Bracket)  # the list that it would become is there
        comparison.same(before.elt, _awaited(after.elt))
        comparison.same(before.generators, after.generators)
        return
    loop = after.generators[0]
    plain = len(after.generators) == 1 and not loop.is_async and not loop.ifs
    if not plain or ast.dump(loop.target) != _named(edit.variable):
        raise VerifyError(f"`{ast.unparse(before)}` became another comprehension")
    comparison.same(before, loop.iter)
    _compare_name(edit.variable, _awaited(after.elt))


def _compare_nested(comparison: Comparison, before: ast.ListComp | ast.GeneratorExp, after: object) -> None:
    """A comprehension, and the loops that do the same."""
    if isinstance(before, ast.GeneratorExp):
        comparison.taken(anchor(before), Bracket)
    for clause in before.generators:
        turned = comparison.taken(clause.iter, AsyncComprehension)
        kind = ast.AsyncFor if clause.is_async or turned else ast.For
        if not isinstance(after, kind) or after.orelse:
            raise VerifyError(f"`{ast.unparse(before)}` became another loop")
        comparison.same(clause.target, after.target)
        comparison.same(clause.iter, after.iter)
        after = _only(after.body)
        for condition in clause.ifs:
            if not isinstance(after, ast.If) or after.orelse:
                raise VerifyError(f"`{ast.unparse(condition)}` is no condition any more")
            comparison.same(condition, after.test)
            after = _only(after.body)
    comparison.same(before.elt, _awaited(_expression(after)))


def _only(body: Sequence[ast.stmt]) -> ast.stmt:
    if len(body) != 1:
        raise VerifyError("a loop holds something else")
    return body[0]


def _expression(statement: object) -> ast.expr:
    if not isinstance(statement, ast.Expr):
        raise VerifyError("an argument is no statement of its own")
    return statement.value


def _awaited(node: ast.expr) -> ast.expr:
    if not isinstance(node, ast.Await):
        raise VerifyError(f"`{ast.unparse(node)}` is not awaited")
    return node.value


def _compare_name(variable: str, after: ast.expr) -> None:
    if not isinstance(after, ast.Name) or after.id != variable:
        raise VerifyError(f"`{ast.unparse(after)}` should be `{variable}`")


def _named(variable: str) -> str:
    return ast.dump(ast.Name(variable, ast.Store()))
