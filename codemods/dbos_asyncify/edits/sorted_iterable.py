"""`for x in names:` -> `for x in sorted(names):`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class Sorted(Edit):
    """Iterate over an expression's elements in their own order."""

    rank: ClassVar[int] = 4  # around the `await` of a call
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (
        cst.Attribute, cst.Await, cst.BinaryOperation, cst.BooleanOperation, cst.Call, cst.IfExp, cst.ListComp,
        cst.Name, cst.NamedExpr, cst.Set, cst.SetComp, cst.Subscript,
    )  # fmt: skip

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.BaseExpression)
        lpar, rpar = list(node.lpar), list(node.rpar)
        before: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace("")
        after: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace("")
        if lpar and _on_one_line(lpar[-1].whitespace_after, rpar[0].whitespace_before):
            before, after = lpar.pop().whitespace_after, rpar.pop(0).whitespace_before  # they become those of the call
        elif not lpar and isinstance(parent, (cst.For, cst.CompFor)) and parent.whitespace_after_in.empty:
            lpar, rpar = [cst.LeftParen()], [cst.RightParen()]  # `in{a, b}`
        argument = cst.Arg(node.with_changes(lpar=[], rpar=[]), whitespace_after_arg=after)
        return cst.Call(cst.Name("sorted"), [argument], lpar=lpar, rpar=rpar, whitespace_before_args=before)


def _on_one_line(*spaces: cst.BaseParenthesizableWhitespace) -> bool:
    return all(isinstance(space, cst.SimpleWhitespace) for space in spaces)
