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
        return handed_over(node, self.spelling, node.func)

    @property
    def needs(self) -> Import | None:
        return self.imports


def handed_over(node: cst.Call, spelling: str, *first: cst.BaseExpression) -> cst.Call:
    """A call of what `spelling` names, with the arguments `first` before those of `node`."""
    space: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
    before = node.whitespace_before_args
    if node.args and isinstance(before, cst.ParenthesizedWhitespace):  # a line of its own, as the first argument has
        line = before.first_line.with_changes(whitespace=cst.SimpleWhitespace(""), comment=None)
        space = before.with_changes(first_line=line, empty_lines=[])
    given = [cst.Arg(value, comma=cst.Comma(whitespace_after=space)) for value in first]
    if not node.args:
        given[-1] = given[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return node.with_changes(func=cst.parse_expression(spelling), args=[*given, *node.args])


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


@dataclass(frozen=True, slots=True)
class StepFromThread(Edit):
    """`asyncio.to_thread(step, a)` -> `DBOS.run_step_async(None, step, a)`, which `spelling` names."""

    spelling: str
    imports: Import | None
    rank: ClassVar[int] = 1

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        return handed_over(node, self.spelling, cst.Name("None"))

    @property
    def needs(self) -> Import | None:
        return self.imports


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
