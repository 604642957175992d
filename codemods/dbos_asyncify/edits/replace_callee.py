"""`time.sleep(1)` -> `asyncio.sleep(1)`: another function, the same arguments."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from dbos_asyncify.edits.base import Edit, Import


@dataclass(frozen=True, slots=True)
class ReplaceCallee(Edit):
    """Call what `spelling` names instead. `imports` is what that takes."""

    spelling: str
    imports: Import | None

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        return node.with_changes(func=cst.parse_expression(self.spelling))

    @property
    def needs(self) -> Import | None:
        return self.imports
