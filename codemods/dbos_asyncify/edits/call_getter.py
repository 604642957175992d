"""`queue.concurrency` -> `queue.get_concurrency_async()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class CallGetter(Edit):
    """Read an attribute by calling the method `getter` of the same object."""

    old: str
    getter: str
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.Attribute,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Attribute)
        method = node.with_changes(attr=node.attr.with_changes(value=self.getter), lpar=[], rpar=[])
        return cst.Call(method, lpar=node.lpar, rpar=node.rpar)
