"""Right positions inside f-strings: before Python 3.12 `ast` gives wrong ones.

The string as a whole stands where `ast` says. Its replacement fields are found again in the text, by the
rules of those versions (a field holds no backslash and no quote of the string's own kind), each expression is
parsed alone, and takes the place of the one that stands wrong.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

_PREFIX = re.compile(rb"""(?i)\b(?:f|fr|rf)["']""")
# A comment between two literals may hold quotes, so it is matched too.
_PIECE = re.compile(
    rb"""\#[^\n]*|(?P<prefix>[A-Za-z]*)(?P<quote>'''|\"\"\"|'|\")(?P<body>(?:\\.|(?!(?P=quote)).)*)(?P=quote)""",
    re.DOTALL,
)
# Text between fields, by (raw, inside a format spec). `{{` is a brace, but opens a field in a format spec.
_LITERAL = {
    (False, False): re.compile(rb"(?:[^{}\\]|\\N\{[^}]*\}|\\[^{}]|\\(?=[{}])|\{\{|\}\})*", re.DOTALL),
    (False, True): re.compile(rb"(?:[^{}\\]|\\N\{[^}]*\}|\\[^{}]|\\(?=[{}]))*", re.DOTALL),
    (True, False): re.compile(rb"(?:[^{}]|\{\{|\}\})*"),
    (True, True): re.compile(rb"[^{}]*"),
}
_TOKEN = re.compile(
    rb"""'''.*?'''|\"\"\".*?\"\"\"|'[^']*'|"[^"]*"|[!=<>]=|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<stop>[!:=])""",
    re.DOTALL,
)
_AFTER_EXPRESSION = re.compile(rb"=?\s*(?:![^:}]*)?")


class _Field(NamedTuple):
    """One replacement field: where its braces, expression and format spec are, and the fields in that."""

    start: int
    expression: slice
    spec: int
    end: int
    nested: list[_Field]


def mend_positions(tree: ast.AST, lines: Sequence[bytes]) -> None:
    """Put the nodes inside every f-string of `tree` where they are; Python before 3.12 only.

    `lines` are the text that `tree` was parsed from, in UTF-8, each with a line feed at its end.

    Raises SyntaxError or ValueError where an f-string is not understood.
    """
    candidates = [number for number, line in enumerate(lines, 1) if _PREFIX.search(line)]
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.JoinedStr):
            _mend(node, lines)
        elif _may_hold_fstring(node, candidates):
            todo.extend(ast.iter_child_nodes(node))


def _may_hold_fstring(node: ast.AST, candidates: list[int]) -> bool:
    """Whether `node` takes in a line of `candidates`: to walk through every node costs as much as parsing."""
    if not isinstance(node, (ast.expr, ast.stmt)) or hasattr(node, "decorator_list"):
        return bool(candidates)  # decorators stand above the line of what they decorate
    index = bisect_left(candidates, node.lineno)
    return index < len(candidates) and candidates[index] <= (node.end_lineno or 0)


def _mend(string: ast.JoinedStr, lines: Sequence[bytes]) -> None:
    assert string.end_lineno is not None
    text = b"".join(lines[string.lineno - 1 : string.end_lineno])
    # Offsets into `text` count from the start of the string's first line, so that columns need no shift.
    last = len(lines[string.end_lineno - 1]) - (string.end_col_offset or 0)
    fields: list[_Field] = []
    for piece in _PIECE.finditer(text, string.col_offset, len(text) - last):
        prefix = (piece["prefix"] or b"").lower()
        if b"f" in prefix:
            fields += _fields(text, *piece.span("body"), raw=b"r" in prefix)
    _replace(string, fields, text, string.lineno)


def _fields(text: bytes, at: int, end: int, *, raw: bool, in_spec: bool = False) -> list[_Field]:
    """The fields of `text[at:end]`; in a format spec those before the brace that closes it."""
    found: list[_Field] = []
    while True:
        match = _LITERAL[raw, in_spec].match(text, at, end)
        assert match
        start = match.end()
        if start == end or text[start : start + 1] == b"}":
            return found
        stop = _expression_end(text, start + 1, end)
        after = _AFTER_EXPRESSION.match(text, stop, end)
        assert after
        spec = at = after.end()
        nested: list[_Field] = []
        if text[spec : spec + 1] == b":":
            nested = _fields(text, spec + 1, end, raw=raw, in_spec=True)
            tail = _LITERAL[raw, True].match(text, nested[-1].end if nested else spec + 1, end)
            assert tail
            at = tail.end()
        at += 1
        found.append(_Field(start, slice(start + 1, stop), spec, at, nested))


def _expression_end(text: bytes, at: int, end: int) -> int:
    """Where the expression that begins at `at` ends: at `}`, `:`, `!` or `=` outside all brackets."""
    depth = 0
    for token in _TOKEN.finditer(text, at, end):
        if token["open"]:
            depth += 1
        elif token["close"] and depth:
            depth -= 1
        elif token["close"] or (token["stop"] and not depth):
            return token.start()
    raise ValueError("f-string: unclosed replacement field")


def _replace(string: ast.JoinedStr, fields: list[_Field], text: bytes, line: int) -> None:
    """Give the values of `string` what stands in `fields`; `text` begins at the start of line `line`."""
    values = [value for value in string.values if isinstance(value, ast.FormattedValue)]
    for value, field in zip(values, fields, strict=True):
        _place(value, text, line, field.start, field.end)
        value.value = _parse(text, line, field.expression)
        if isinstance(value.format_spec, ast.JoinedStr):
            _place(value.format_spec, text, line, field.spec, field.end - 1)
            _replace(value.format_spec, field.nested, text, line)


def _parse(text: bytes, line: int, part: slice) -> ast.expr:
    """The expression `text[part]`, with the positions that it has in the file."""
    inner = b"(" + text[part] + b")"
    expression = ast.parse(inner, mode="eval").body
    mend_positions(expression, inner.splitlines(keepends=True))
    wrapped = (expression.lineno, expression.col_offset) == (1, 0)  # a tuple takes in the brackets put here
    first_line, first_column = _position(text, line, part.start)
    for node in ast.walk(expression):
        if isinstance(node, (ast.expr, ast.arg, ast.keyword)):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            if node.lineno == 1:
                node.col_offset += first_column - 1
            if node.end_lineno == 1:
                node.end_col_offset += first_column - 1
            node.lineno += first_line - 1
            node.end_lineno += first_line - 1
    if wrapped:
        bare = text[part]
        start = part.start + len(bare) - len(bare.lstrip())
        _place(expression, text, line, start, part.start + len(bare.rstrip()))
    return expression


def _place(node: ast.expr, text: bytes, line: int, start: int, end: int) -> None:
    node.lineno, node.col_offset = _position(text, line, start)
    node.end_lineno, node.end_col_offset = _position(text, line, end)


def _position(text: bytes, line: int, offset: int) -> tuple[int, int]:
    return line + text.count(b"\n", 0, offset), offset - (text.rfind(b"\n", 0, offset) + 1)
