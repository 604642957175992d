"""`f()` -> `await f()`, in parentheses where the place needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst
from libcst._nodes.expression import ExpressionPosition

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class AddAwait(Edit):
    """Await the call, or the attribute that becomes one."""

    rank: ClassVar[int] = 3
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.Call, cst.Attribute)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.BaseExpression)
        lpar, rpar = list(node.lpar), list(node.rpar)
        if not lpar and binds_tighter(parent, original):
            lpar, rpar = [cst.LeftParen()], [cst.RightParen()]
        return _Await(node.with_changes(lpar=[], rpar=[]), lpar=lpar, rpar=rpar)


class _Await(cst.Await):
    """LibCST asks for a space between `await f()` and an operator behind it; what counts is how `f()` ends."""

    def _safe_to_use_with_word_operator(self, position: ExpressionPosition) -> bool:
        if position is ExpressionPosition.LEFT and not self.rpar:
            return self.expression._safe_to_use_with_word_operator(position)
        return super()._safe_to_use_with_word_operator(position)


def binds_tighter(parent: cst.CSTNode | None, node: cst.CSTNode) -> bool:
    """Whether `await node` needs parentheses below this parent."""
    if isinstance(parent, (cst.Attribute, cst.Subscript)):
        return parent.value is node
    if isinstance(parent, cst.Call):
        return parent.func is node
    return isinstance(parent, cst.Await)
