"""Bytes to text and back: encoding, byte order mark, line ends; text to syntax tree; positions.

Everything that a file holds comes back as it was: the text keeps its line ends, and encoding the same text
gives the same bytes.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import sys
import tokenize
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

from dbos_asyncify.fstrings import mend_positions

Positioned: TypeAlias = ast.expr | ast.stmt | ast.ExceptHandler | ast.arg | ast.keyword | ast.alias | ast.pattern

_LINE_END = re.compile(r"\r\n|\r|\n")
_NON_ASCII = re.compile(rb"[\x80-\xff]")

# What older Pythons stumble over, and the version that first reads it.
_NEWER_SYNTAX = tuple(
    (version, re.compile(pattern, re.MULTILINE))
    for version, pattern in (
        ((3, 11), r"^[ \t]*except[ \t]*\*"),
        ((3, 11), r"[\[,][ \t]*\*\w|\*\w+[ \t]*:[ \t]*\*"),
        ((3, 12), r"^[ \t]*type[ \t]+\w+[ \t]*[=\[]"),
        ((3, 12), r"^[ \t]*(?:class|(?:async[ \t]+)?def)[ \t]+\w+[ \t]*\["),
        ((3, 12), r"""(?i)\b(?:f|fr|rf)["']"""),
        (
            (3, 13),
            r"^[ \t]*(?:class|type|(?:async[ \t]+)?def)[ \t]+\w+[ \t]*\[(?:[^\[\]=]|\[[^\[\]]*\])*=",
        ),
        ((3, 14), r"^[ \t]*except[ \t*]+[^():\n]+,[^:\n]*:"),
        ((3, 14), r"""(?i)\b(?:t|tr|rt)["']"""),
    )
)
_LINES_BEFORE_ERROR = 3


class Span(NamedTuple):
    """A range of a source text: lines from 1, columns from 0 in characters, the end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class SourceError(Exception):
    """A file that cannot be read or parsed.

    `line` and `column` count from 1 as editors do; 0 means that the error has no such place.
    """

    def __init__(self, path: Path, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = "".join(f":{number}" for number in (self.line, self.column) if number)
        return f"{self.path}{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its bytes, and its text with the line ends that it has, without byte order mark."""

    path: Path
    data: bytes = field(repr=False)
    text: str = field(repr=False)
    encoding: str
    bom: bool
    newline: str
    lines: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # As Python counts lines: a form feed or U+2028 ends none, so str.splitlines will not do.
        object.__setattr__(self, "lines", tuple(io.StringIO(self.text, newline="")))

    def encode(self, text: str) -> bytes:
        """`text` as bytes of this file: same encoding, byte order mark where there was one.

        Raises UnicodeEncodeError where the encoding has no such character.
        """
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)


def read(path: Path) -> Source:
    """Read the Python file at `path`; raises SourceError where it is unreadable or does not decode."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(path, f"cannot be read: {error.strerror or error}") from error
    return from_bytes(path, data)


def from_bytes(path: Path, data: bytes) -> Source:
    """Decode `data` as Python does (byte order mark, PEP 263 comment, else UTF-8).

    Raises SourceError where that fails, or where the text would not give the same bytes again.
    """
    if b"\0" in data:
        raise SourceError(path, "holds NUL bytes: not Python source text", _line_of(data, data.index(b"\0")))
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[len(codecs.BOM_UTF8) :] if bom else data
    # Beside the cookie the first two lines may hold anything, in an encoding that is not known yet.
    head = [_NON_ASCII.sub(b"?", line) for line in body.splitlines(keepends=True)[:2]]
    if bom:
        head = [codecs.BOM_UTF8 + b"".join(head[:1]), *head[1:]]
    try:
        encoding, _ = tokenize.detect_encoding(iter(head).__next__)
    except SyntaxError as error:
        raise SourceError(path, error.msg, 1 if b"coding" in head[0] else 2) from error
    encoding = encoding.removesuffix("-sig")
    try:
        text = body.decode(encoding)
        faithful = encoding == "utf-8" or text.encode(encoding) == body
    except UnicodeDecodeError as error:
        line = _line_of(body, error.start)
        raise SourceError(
            path, f"byte 0x{body[error.start]:02x} is not valid {encoding}: {error.reason}", line
        ) from error
    except (LookupError, ValueError) as error:
        raise SourceError(path, f"cannot be decoded as {encoding}: {error}", 1) from error
    if not faithful:
        raise SourceError(path, f"does not survive decoding and encoding as {encoding}")
    newline = _LINE_END.search(text)
    return Source(path, data, text, encoding, bom, newline[0] if newline else "\n")


def parse(source: Source) -> ast.Module:
    """The syntax tree of `source`, with right positions inside f-strings on every Python. Never warns.

    Raises SourceError for what the running Python cannot parse; where a newer one can, the message names it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are not this tool's business
            tree = ast.parse(source.text, filename=str(source.path))
            if sys.version_info < (3, 12):
                mend_positions(tree, [line.rstrip("\r\n").encode() + b"\n" for line in source.lines])
    except SyntaxError as error:
        message = error.msg + _newer_version_hint(source, error.lineno or 0)
        raise SourceError(source.path, message, error.lineno or 0, max(error.offset or 0, 0)) from error
    except (RecursionError, MemoryError) as error:
        raise SourceError(source.path, "nested too deeply to be parsed") from error
    except ValueError as error:
        raise SourceError(source.path, f"cannot be parsed: {error}") from error
    return tree


def span(node: Positioned, source: Source) -> Span:
    """Where `node` stands in `source`, in characters (`ast` counts columns in UTF-8 bytes)."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return Span(
        node.lineno,
        column(source, node.lineno, node.col_offset),
        node.end_lineno,
        column(source, node.end_lineno, node.end_col_offset),
    )


def column(source: Source, line: int, offset: int) -> int:
    """The character column of the UTF-8 byte `offset` in `line`, which counts from 1."""
    text = source.lines[line - 1]
    return offset if text.isascii() else len(text.encode()[:offset].decode())


def _line_of(data: bytes, offset: int) -> int:
    return len(re.findall(rb"\r\n|\r|\n", data[:offset])) + 1


def _newer_version_hint(source: Source, line: int) -> str:
    """What to add to a syntax error: the Python to use, if LibCST, which knows all, can parse the file."""
    running = sys.version_info[:2]
    newer = [(version, pattern) for version, pattern in _NEWER_SYNTAX if version > running]
    text = "\n".join(part.rstrip("\r\n") for part in source.lines) + "\n"
    near = "\n".join(text.split("\n")[max(line - 1 - _LINES_BEFORE_ERROR, 0) : line])
    # LibCST is slow, and its stack overflows on absurd nesting: it is only asked where the place gives cause.
    if not any(pattern.search(near) for _, pattern in newer):
        return ""
    import libcst  # takes longer to import than all the rest, and is rarely needed here

    try:
        libcst.parse_module(text)
    except Exception:  # noqa: BLE001 - whatever it thinks, the error is already known
        return ""
    major, minor = max(version for version, pattern in newer if pattern.search(text))
    return (
        f"; this is Python {major}.{minor} syntax and the tool runs on {running[0]}.{running[1]}: "
        f"use `uvx --python {major}.{minor} dbos-asyncify`"
    )
