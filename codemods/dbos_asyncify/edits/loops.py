"""Iterating over what has become an asynchronous generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class AsyncFor(Edit):
    """`for x in …:` -> `async for x in …:`; the span begins where the statement does."""

    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.For,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        return node.with_changes(asynchronous=cst.Asynchronous())


@dataclass(frozen=True, slots=True)
class AsyncComprehension(Edit):
    """`[… for x in s]` -> `[… async for x in s]`; the span is that of the iterable `s`."""

    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.CompFor,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        return node.with_changes(asynchronous=cst.Asynchronous())


@dataclass(frozen=True, slots=True)
class Collect(Edit):
    """`list(stream)` -> `[value async for value in stream]`; likewise for `tuple` and `set`."""

    variable: str
    rank: ClassVar[int] = 1

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        assert isinstance(node.func, cst.Name)
        element = cst.Name(self.variable)
        loop = cst.CompFor(element, node.args[0].value, asynchronous=cst.Asynchronous())
        if node.func.value == "set":
            return cst.SetComp(element, loop, lpar=node.lpar, rpar=node.rpar)
        listed = cst.ListComp(element, loop)
        if node.func.value == "list":
            return listed.with_changes(lpar=node.lpar, rpar=node.rpar)
        return node.with_changes(args=[cst.Arg(listed)])
