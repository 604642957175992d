"""`f()  # asyncify: ignore[DBA101]` -> `f()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class EditComment(Edit):
    """Write `new` in place of the comment `old`. Where `new` is empty the comment goes, with a line of its own."""

    old: str
    new: str
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.TrailingWhitespace, cst.EmptyLine)

    def apply(
        self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel:
        if self.new:
            return node.with_changes(comment=cst.Comment(self.new))
        if isinstance(node, cst.EmptyLine):
            return cst.RemoveFromParent()
        return node.with_changes(comment=None, whitespace=cst.SimpleWhitespace(""))
