"""`uuid.uuid4()` -> `DBOS.run_step_async(None, uuid.uuid4)`: what it gives is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit, Import
from dbos_asyncify.edits.threads import handed_over


@dataclass(frozen=True, slots=True)
class RunAsStep(Edit):
    """Have a step without options call it. `spelling` is how the file names `DBOS.run_step_async`."""

    spelling: str
    imports: Import | None
    rank: ClassVar[int] = 2

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        return handed_over(node, self.spelling, cst.Name("None"), node.func)

    @property
    def needs(self) -> Import | None:
        return self.imports
