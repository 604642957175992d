"""Comments and lines: all there, but for what an edit declares."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Mapping, Sequence

from dbos_asyncify.edits import AddDecorator, AsyncFor, Bracket, Edit, EditComment, Hoist, MakeAsync
from dbos_asyncify.source import Source
from dbos_asyncify.verify.error import VerifyError
from dbos_asyncify.verify.moves import Move, blank_lines_around, header_of, order_of


def comments(text: str) -> list[tuple[int, str]]:
    """The comments of a text, in order, each with its line."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise VerifyError(f"the comments cannot be compared: {error}") from error
    return [(token.start[0], token.string.rstrip()) for token in tokens if token.type == tokenize.COMMENT]


def declared(present: Iterable[tuple[int, str]], changed: Mapping[int, EditComment], order: Sequence[int]) -> list[str]:
    """The comments that must be there when those edits are carried out, and the lines stand in this order."""
    found: list[str] = []
    pending = dict(changed)
    places = {line: place for place, line in enumerate(order)}
    for line, comment in sorted(present, key=lambda comment: places[comment[0]]):
        edit = pending.pop(line, None)
        if edit is not None and edit.old.rstrip() != comment:
            raise VerifyError(f"line {line}: the comment is not `{edit.old}`")
        found.append(comment if edit is None else edit.new.rstrip())
    if pending:
        raise VerifyError(f"line {min(pending)}: no comment there to edit")
    return [comment for comment in found if comment]


def lines(
    source: Source,
    text: str,
    edits: Iterable[Edit],
    changed: Mapping[int, EditComment],
    moves: Sequence[Move],
) -> None:
    """Every line outside the edits is there, unchanged and in order; of one with a comment's edit, the rest of it.

    Of a line that moves only the indentation may be another one.
    """
    touched: set[int] = set()
    moved: set[int] = set()
    for move in moves:
        moved.update(range(move.first, move.last + 1))
        touched.update(blank_lines_around(source, move))
        if move.edit.parameters or move.edit.name != move.node.name:
            touched.update(header_of(move.node))
    for edit in edits:
        if isinstance(edit, (AddDecorator, EditComment, Hoist)):
            continue
        if isinstance(edit, Bracket):
            touched.update(range(edit.closing[0], edit.closing[1] + 1))
        header_only = isinstance(edit, (AsyncFor, MakeAsync))  # their spans hold the bodies too
        last = edit.span.line if header_only else edit.span.end_line
        touched.update(range(edit.span.line, last + 1))
    wanted = {
        number: _commented(line, changed[number]) if number in changed else line
        for number, line in enumerate(source.lines, start=1)
    }
    final = max((number for number, line in wanted.items() if line), default=0)
    result = tuple(io.StringIO(text, newline=""))
    bare = tuple(line.lstrip(" \t") for line in result) if moved else ()
    position = 0
    for number in order_of(source, moves):
        line = wanted[number]
        if number in touched or not line:
            continue
        try:
            if number in moved:
                position = bare.index(line.lstrip(" \t"), position) + 1
            else:
                position = result.index(line, position) + 1
        except ValueError:
            end = line.rstrip("\r\n") + ("" if line.endswith(("\r", "\n")) else source.newline)
            if number != final or source.lines[-1].endswith(("\r", "\n")) or end not in result[position:]:
                raise VerifyError(f"line {number} changed, which no edit concerns") from None


def _commented(line: str, edit: EditComment) -> str:
    """A line with its comment edited; nothing is left of one that held the comment only."""
    code, end = line[: edit.span.column], line[len(line.rstrip("\r\n")) :]
    if edit.new:
        return code + edit.new + end
    if not code.strip():
        return ""
    bare = code.rstrip()
    return (code if bare.endswith(";") else bare) + end  # blanks behind a semicolon are the semicolon's
