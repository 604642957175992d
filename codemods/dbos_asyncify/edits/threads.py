"""`tx(a)` -> `asyncio.to_thread(tx, a)`, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeGuard

import libcst as cst

from dbos_asyncify.edits.base import Edit, Import


@dataclass(frozen=True, slots=True)
class ToThread(Edit):
    """Hand the callee and its arguments to a thread. `spelling` is how the file names `asyncio.to_thread`."""

    spelling: str
    imports: Import | None
    rank: ClassVar[int] = 2

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        callee = cst.Arg(node.func)
        if node.args:
            before = node.whitespace_before_args
            space: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
            if isinstance(before, cst.ParenthesizedWhitespace):  # a line of its own, as the first argument has
                line = before.first_line.with_changes(whitespace=space.with_changes(value=""), comment=None)
                space = before.with_changes(first_line=line, empty_lines=[])
            callee = callee.with_changes(comma=cst.Comma(whitespace_after=space))
        return node.with_changes(
            func=cst.parse_expression(self.spelling),
            args=[callee, *node.args],
        )

    @property
    def needs(self) -> Import | None:
        return self.imports


@dataclass(frozen=True, slots=True)
class FromThread(Edit):
    """`asyncio.to_thread(f, a)` -> `f(a)`: what `f` gives can be awaited."""

    rank: ClassVar[int] = 1

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        callee, *rest = node.args
        space = node.whitespace_before_args
        after_comma = [callee.comma.whitespace_after] if isinstance(callee.comma, cst.Comma) else []
        for later in (callee.whitespace_after_arg, *after_comma):
            if _has_comment(later):
                space = _joined(space, later)
        if not rest and not _has_comment(space):
            space = cst.SimpleWhitespace("")
        return node.with_changes(func=callee.value, args=rest, whitespace_before_args=space)


def _has_comment(space: cst.BaseParenthesizableWhitespace) -> TypeGuard[cst.ParenthesizedWhitespace]:
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return False
    return space.first_line.comment is not None or any(line.comment is not None for line in space.empty_lines)


def _joined(
    space: cst.BaseParenthesizableWhitespace, later: cst.ParenthesizedWhitespace
) -> cst.ParenthesizedWhitespace:
    """`later`, below the comments of `space`."""
    if not _has_comment(space):
        return later
    own = later.first_line
    line = cst.EmptyLine(space.indent, space.last_line, own.comment, own.newline)
    return later.with_changes(first_line=space.first_line, empty_lines=[*space.empty_lines, line, *later.empty_lines])
