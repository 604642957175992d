"""What an edit is: one thing to do to one node at one place, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.source import Span


@dataclass(frozen=True, slots=True)
class Import:
    """An import that an edit relies on: `import module`, or `from module import name`; perhaps `as alias`."""

    module: str
    alias: str = ""
    name: str = ""

    @property
    def line(self) -> str:
        statement = f"from {self.module} import {self.name}" if self.name else f"import {self.module}"
        return f"{statement} as {self.alias}" if self.alias else statement


@dataclass(frozen=True, slots=True)
class Edit:
    """Something to do to the node at `span`. `node_types` are the LibCST classes that it may be.

    Several edits of one node are carried out in the order of their `rank`, inner nodes before outer ones.
    """

    span: Span
    rank: ClassVar[int] = 0
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.Call,)

    def apply(
        self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        """What takes the place of `node`; `parent` and `original` are as they were in the file."""
        raise NotImplementedError

    @property
    def needs(self) -> Import | None:
        """The import without which the result does not work."""
        return None
