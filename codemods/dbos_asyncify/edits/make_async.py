"""`def notify():` -> `async def notify():`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class MakeAsync(Edit):
    """Make a coroutine function of a function; the span begins at its `def`."""

    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.FunctionDef,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        return node.with_changes(asynchronous=cst.Asynchronous())
