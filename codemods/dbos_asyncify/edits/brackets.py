"""`sum(f(x) for x in xs)` -> `sum([f(x) for x in xs])`: a generator expression cannot be awaited in."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


def anchor(node: ast.expr) -> ast.expr:
    """The first part of an expression that is no tuple or generator expression itself."""
    while True:
        if isinstance(node, ast.GeneratorExp):
            node = node.elt
        elif isinstance(node, ast.Tuple) and node.elts:
            node = node.elts[0]
        else:
            return node


@dataclass(frozen=True, slots=True)
class Bracket(Edit):
    """Make a list comprehension of a generator expression that is used up in full where it stands.

    The span is that of the `anchor` of its element: whether the parentheses of a call belong to a generator
    expression is told differently by `ast` and by LibCST.
    """

    closing: tuple[int, int]  # the lines among which the closing bracket comes to stand
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.GeneratorExp,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.GeneratorExp)
        lbracket, rbracket = cst.LeftSquareBracket(), cst.RightSquareBracket()
        lpar, rpar = list(node.lpar), list(node.rpar)
        if lpar:  # the generator expression's own parentheses become the brackets
            inner, outer = lpar.pop(), rpar.pop(0)
            lbracket = lbracket.with_changes(whitespace_after=inner.whitespace_after)
            rbracket = rbracket.with_changes(whitespace_before=outer.whitespace_before)
        return cst.ListComp(node.elt, node.for_in, lbracket=lbracket, rbracket=rbracket, lpar=lpar, rpar=rpar)
