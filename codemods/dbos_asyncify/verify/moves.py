"""Functions that leave a statement for the place above it: which lines go where, and what they become."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dbos_asyncify.edits import Edit, Hoist
from dbos_asyncify.source import Source, span
from dbos_asyncify.verify.error import VerifyError

if TYPE_CHECKING:
    from dbos_asyncify.verify.trees import Comparison


T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """Lines `first` to `last`, a function with the comments that lead it, go above line `target`."""

    edit: Hoist
    node: ast.AsyncFunctionDef
    statement: ast.stmt  # of the top level, around it
    first: int
    last: int
    target: int


def moves_of(source: Source, tree: ast.Module, edits: Iterable[Edit]) -> list[Move]:
    """The moves that `edits` declare, in the order in which the functions come to stand: inner ones first."""
    wanted = {edit.span: edit for edit in edits if isinstance(edit, Hoist)}
    found: list[Move] = []
    end = 0  # of the statement before
    for statement in tree.body if wanted else ():
        for node in ast.walk(statement):
            edit = wanted.get(span(node, source)) if isinstance(node, ast.AsyncFunctionDef) else None
            if edit is not None and node is not statement:
                assert isinstance(node, ast.AsyncFunctionDef)
                first = _above_comments(source, _first_line(node), 1)
                last = _last_line(source, node, statement.end_lineno or 0)
                target = _above_comments(source, _first_line(statement), end + 1)
                found.append(Move(edit, node, statement, first, last, target))
        end = statement.end_lineno or 0
    return sorted(found, key=lambda move: (move.node.end_lineno, -move.node.lineno))


def order_of(source: Source, moves: Sequence[Move]) -> list[int]:
    """The numbers of all lines in the order in which the result has them."""
    mover: dict[int, Move] = {}
    for move in moves:  # inner ones first
        for number in range(move.first, move.last + 1):
            mover.setdefault(number, move)
    order: list[int] = []
    for number in range(1, len(source.lines) + 1):
        for move in moves:
            if move.target == number:
                order.extend(line for line in range(move.first, move.last + 1) if mover[line] is move)
        if number not in mover:
            order.append(number)
    return order


def header_of(node: ast.AsyncFunctionDef) -> range:
    """The lines of a signature, which gets parameters and perhaps another name."""
    parts = [part.end_lineno or 0 for part in ast.walk(node.args) if isinstance(part, (ast.arg, ast.expr))]
    last = max(parts, default=_first_line(node.body[0]) - 1)
    return range(node.lineno, max(node.lineno, last) + 1)


def blank_lines_around(source: Source, move: Move) -> list[int]:
    """The blank lines above and below a function: some of them go when it leaves."""
    found: list[int] = []
    for number, step in ((move.first - 1, -1), (move.last + 1, 1)):
        while 0 < number <= len(source.lines) and not source.lines[number - 1].strip():
            found.append(number)
            number += step
    return found


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _above_comments(source: Source, line: int, end: int) -> int:
    """The first of the comment lines right above a line, indented as it, that need not stay on top of the file."""
    first = line
    mark = _indent(source, line) + "#"
    while first > end and source.lines[first - 2].startswith(mark):
        first -= 1
    while first < line and first <= 2 and ("coding" in source.lines[first - 1] or source.lines[first - 1][:2] == "#!"):
        first += 1
    return first


def _last_line(source: Source, node: ast.AsyncFunctionDef, end: int) -> int:
    """Where a function ends: with the last comment that is indented as its body, no further than line `end`."""
    last = node.end_lineno or 0
    if node.body[0].lineno == node.lineno:
        return last
    indent = _indent(source, _first_line(node.body[0]))
    for number in range(last + 1, end + 1):
        line = source.lines[number - 1]
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if line.strip() and line.startswith(indent):
            last = number
    return last


def _indent(source: Source, line: int) -> str:
    text = source.lines[line - 1]
    return text[: len(text) - len(text.lstrip())]


def compare_moved(comparison: Comparison, move: Move, after: ast.stmt) -> None:
    """Raise VerifyError unless `after` is the function that is moved, with the decorator, name and parameters added."""
    edit, before = move.edit, move.node
    if not isinstance(after, ast.AsyncFunctionDef) or after.name != edit.name:
        raise VerifyError(f"`{before.name}` does not stand above its statement")
    kept = undecorated(edit.decorator, after)
    kept.name = before.name
    kept.args = _without_parameters(edit, before.args, after.args)
    comparison.fields(before, kept)


def undecorated(decorator: str, after: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
    """A function without the decorator that was added."""
    if not after.decorator_list or not reads(after.decorator_list[0], decorator.removeprefix("@")):
        raise VerifyError(f"`{decorator}` is not on top of `{after.name}`")
    kept = copy(after)
    kept.decorator_list = after.decorator_list[1:]
    return kept


def _without_parameters(edit: Hoist, before: ast.arguments, after: ast.arguments) -> ast.arguments:
    count = len(edit.parameters)
    kept = copy(after)
    if before.defaults or before.vararg is not None:
        added, kept.kwonlyargs = _split(after.kwonlyargs, count)
        defaults, kept.kw_defaults = _split(after.kw_defaults, count)
        if any(defaults):
            raise VerifyError("a parameter has a default")
    else:
        added, kept.args = _split(after.args, count)
    if len(added) != count:
        raise VerifyError("a parameter is missing")
    for (name, annotation), node in zip(edit.parameters, added, strict=True):
        annotated = reads(node.annotation, annotation) if node.annotation else not annotation
        if node.arg != name or not annotated:
            raise VerifyError(f"`{ast.unparse(node)}` is not the parameter `{name}`")
    return kept


def _split(items: Sequence[T], count: int) -> tuple[list[T], list[T]]:
    """The last ones, and those before."""
    position = max(len(items) - count, 0)
    return list(items[position:]), list(items[:position])


def reads(node: ast.expr, text: str) -> bool:
    """Whether an expression is what `text` says."""
    return ast.dump(node) == ast.dump(ast.parse(text, mode="eval").body) if text else False


def by_statement(moves: Iterable[Move]) -> Mapping[ast.stmt, list[Move]]:
    """The moves out of each statement of the top level."""
    found: dict[ast.stmt, list[Move]] = {}
    for move in moves:
        found.setdefault(move.statement, []).append(move)
    return found
