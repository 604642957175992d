"""Which lines of a file LibCST has to see: the smallest whole statements that hold the edits."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbos_asyncify.edits.base import Edit
from dbos_asyncify.edits.hoist import Hoist
from dbos_asyncify.source import Source


@dataclass(frozen=True, slots=True)
class Region:
    """Lines `first` to `last` (from 1, inclusive) and the edits in them."""

    first: int
    last: int
    edits: tuple[Edit, ...]


def regions_of(source: Source, tree: ast.Module, edits: Iterable[Edit], widen: int = 0) -> list[Region]:
    """Disjoint regions that cover all edits, in order. `widen` asks for that many enclosing statements more."""
    ranges: list[tuple[int, int]] = []
    pending = list(edits)
    for edit in pending:
        around = list(_enclosing(source, tree, edit))
        if not around:  # a comment between the module's statements
            around = [(edit.span.line, edit.span.end_line)]
        if isinstance(edit, Hoist):  # it leaves all of them
            around = around[:1]
        candidates = [(1, max(len(source.lines), 1)), *(lines for lines in around if lines is not None)]
        ranges.append(candidates[max(len(candidates) - 1 - widen, 0)])
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [
        Region(first, last, tuple(edit for edit in pending if first <= edit.span.line <= last))
        for first, last in merged
    ]


def _enclosing(source: Source, tree: ast.Module, edit: Edit) -> Iterator[tuple[int, int] | None]:
    """The lines of the statements around an edit, the outermost first; None for one that shares its lines."""
    span = edit.span
    body: list[ast.stmt] | None = tree.body
    while body is not None:
        found = None
        for statement in body:
            if first_line(statement) <= span.line and span.end_line <= (statement.end_lineno or 0):
                found = statement
                inside = _contains(statement, edit)
                if inside:
                    break
        if found is None:
            return
        yield _own_lines(source, *_sharing(body, found))
        body = _statements_in(found)


def _contains(statement: ast.stmt, edit: Edit) -> bool:
    """Whether the edit is in this one of several statements on a line (columns in bytes: near enough for lines)."""
    end = (statement.end_lineno or 0, statement.end_col_offset or 0)
    return (edit.span.line, edit.span.column) <= end


def _statements_in(statement: ast.stmt) -> list[ast.stmt] | None:
    """The statements inside a compound statement."""
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            found.extend(child.body)
    return found or None


def _sharing(body: list[ast.stmt], statement: ast.stmt) -> tuple[ast.stmt, ast.stmt]:
    """The first and the last of the statements that share lines with this one: `a(); b()`."""
    first = last = body.index(statement)
    while first and (body[first - 1].end_lineno or 0) >= first_line(body[first]):
        first -= 1
    while last + 1 < len(body) and first_line(body[last + 1]) <= (body[last].end_lineno or 0):
        last += 1
    return body[first], body[last]


def _own_lines(source: Source, statement: ast.stmt, end: ast.stmt) -> tuple[int, int] | None:
    """The lines from a statement to `end`, if they stand alone on them; None where those hold something else too."""
    first, last = first_line(statement), end.end_lineno or 0
    opening = source.lines[first - 1]
    indent = opening[: len(opening) - len(opening.lstrip())]
    starts = first < statement.lineno or len(indent.encode()) == statement.col_offset
    closing = source.lines[last - 1].encode()[end.end_col_offset :].lstrip(b"; \t").strip()
    continued = first > 1 and source.lines[first - 2].rstrip("\r\n").endswith("\\")
    is_elif = isinstance(statement, ast.If) and opening.lstrip().startswith("elif")
    alone = starts and not continued and not is_elif and (not closing or closing.startswith(b"#"))
    return (first, last) if alone else None


def first_line(statement: ast.stmt) -> int:
    """Where a statement begins, decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def above_comments(source: Source, line: int) -> int:
    """The comments that belong to the statement at `line` stay with it; a `#!` or coding line stays on top."""
    while line > 1 and source.lines[line - 2].startswith("#"):
        line -= 1
    while (
        line <= 2
        and source.lines[line - 1].startswith("#")
        and ("!" in source.lines[line - 1][:2] or "coding" in source.lines[line - 1])
    ):
        line += 1
    return line
