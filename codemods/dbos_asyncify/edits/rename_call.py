"""`DBOS.sleep(1)` -> `DBOS.sleep_async(1)`."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class RenameCall(Edit):
    """Give the callee's last name another one."""

    old: str
    new: str

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        return node.with_changes(func=renamed(node.func, self.new))


def renamed(func: cst.BaseExpression, new: str) -> cst.BaseExpression:
    """A callee with another last name."""
    if isinstance(func, cst.Attribute):
        return func.with_changes(attr=func.attr.with_changes(value=new))
    assert isinstance(func, cst.Name)
    return func.with_changes(value=new)
