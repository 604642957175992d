"""`tx(a)` -> `asyncio.to_thread(tx, a)`, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit, Import


@dataclass(frozen=True, slots=True)
class ToThread(Edit):
    """Hand the callee and its arguments to a thread. `spelling` is how the file names `asyncio.to_thread`."""

    spelling: str
    imports: Import | None
    rank: ClassVar[int] = 2

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        callee = cst.Arg(node.func)
        if node.args:
            before = node.whitespace_before_args
            space: cst.BaseParenthesizableWhitespace = cst.SimpleWhitespace(" ")
            if isinstance(before, cst.ParenthesizedWhitespace):  # a line of its own, as the first argument has
                line = before.first_line.with_changes(whitespace=space.with_changes(value=""), comment=None)
                space = before.with_changes(first_line=line, empty_lines=[])
            callee = callee.with_changes(comma=cst.Comma(whitespace_after=space))
        return node.with_changes(
            func=cst.parse_expression(self.spelling),
            args=[callee, *node.args],
        )

    @property
    def needs(self) -> Import | None:
        return self.imports


@dataclass(frozen=True, slots=True)
class FromThread(Edit):
    """`asyncio.to_thread(h.get_result)` -> `h.get_result()`: the handle has become an asynchronous one."""

    rank: ClassVar[int] = 1

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        callee, *rest = node.args
        return node.with_changes(func=callee.value, args=rest)
