"""Spaces, line breaks and comments between the parts of an expression."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence
from typing import TypeGuard, TypeVar

import libcst as cst

Space = cst.BaseParenthesizableWhitespace
ExpressionT = TypeVar("ExpressionT", bound=cst.BaseExpression)
_INDENT = "    "


def is_line_break(space: Space) -> TypeGuard[cst.ParenthesizedWhitespace]:
    """Whether a line ends in this space, as it can only do in brackets."""
    return isinstance(space, cst.ParenthesizedWhitespace)


def comments_in(*nodes: object) -> list[cst.Comment]:
    """All comments in these nodes, in order."""
    found: list[cst.Comment] = []
    collector = _Comments(found)
    for node in nodes:
        if isinstance(node, cst.CSTNode):
            node.visit(collector)
    return found


class _Comments(cst.CSTVisitor):
    def __init__(self, found: list[cst.Comment]) -> None:
        super().__init__()
        self.found = found

    def visit_Comment(self, node: cst.Comment) -> None:  # noqa: N802 - LibCST's name
        self.found.append(node)


def with_comments(space: Space, before: Sequence[cst.Comment] = (), after: Sequence[cst.Comment] = ()) -> Space:
    """`space` with more comments in it, each on a line of its own."""
    if not before and not after:
        return space
    comments = [*before, *comments_in(space), *after]
    last_line = space.last_line if is_line_break(space) else cst.SimpleWhitespace(_INDENT)
    return cst.ParenthesizedWhitespace(
        cst.TrailingWhitespace(cst.SimpleWhitespace("  "), comments[0]),
        [cst.EmptyLine(indent=True, whitespace=last_line, comment=comment) for comment in comments[1:]],
        indent=True,
        last_line=last_line,
    )


def breaks(node: cst.BaseExpression) -> bool:
    """Whether a line ends in an expression outside of its brackets: it needs some around it then."""
    text = cst.Module([]).code_for_node(node)
    depth = -1  # the pair around it
    for token in tokenize.generate_tokens(io.StringIO(f"({text})", newline=None).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
        elif token.type == tokenize.NL and depth == 0:
            return True
    return False


def alone(node: ExpressionT) -> ExpressionT:
    """An expression as it can stand outside of brackets."""
    if not breaks(node):
        return node
    return node.with_changes(lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()])


def dedented(node: ExpressionT, opening: Space) -> ExpressionT:
    """`node` moved left by the indentation that `opening` ends with: it no longer stands in those brackets."""
    indent = opening.last_line.value if is_line_break(opening) and opening.indent else ""
    if not indent:
        return node
    moved = node.visit(_Dedent(indent))
    assert isinstance(moved, type(node))
    return moved


class _Dedent(cst.CSTTransformer):
    def __init__(self, indent: str) -> None:
        super().__init__()
        self.indent = indent

    def leave_ParenthesizedWhitespace(  # noqa: N802 - LibCST's name
        self, original_node: cst.ParenthesizedWhitespace, updated_node: cst.ParenthesizedWhitespace
    ) -> cst.ParenthesizedWhitespace:
        return updated_node.with_changes(last_line=self._moved(updated_node.last_line))

    def leave_EmptyLine(  # noqa: N802 - LibCST's name
        self, original_node: cst.EmptyLine, updated_node: cst.EmptyLine
    ) -> cst.EmptyLine:
        return updated_node.with_changes(whitespace=self._moved(updated_node.whitespace))

    def _moved(self, space: cst.SimpleWhitespace) -> cst.SimpleWhitespace:
        return space.with_changes(value=space.value.removeprefix(self.indent))
