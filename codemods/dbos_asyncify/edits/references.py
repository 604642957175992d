"""Names in annotations and imports: `WorkflowHandle` -> `WorkflowHandleAsync`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit


@dataclass(frozen=True, slots=True)
class RenameReference(Edit):
    """Give a name, or the last name of a dotted one, another one."""

    old: str
    new: str
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.Name, cst.Attribute)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        if isinstance(node, cst.Attribute):
            return node.with_changes(attr=node.attr.with_changes(value=self.new))
        return node.with_changes(value=self.new)


@dataclass(frozen=True, slots=True)
class RenameInString(Edit):
    """The same inside an annotation that is written as a string."""

    old: str
    new: str
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.SimpleString,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.SimpleString)
        return node.with_changes(value=re.sub(rf"\b{re.escape(self.old)}\b", self.new, node.value))


@dataclass(frozen=True, slots=True)
class ImportName(Edit):
    """In `from dbos import old`: put `new` in its place, or beside it where `old` is still used."""

    old: str
    new: str
    keep_old: bool
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.ImportFrom,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.ImportFrom)
        assert not isinstance(node.names, cst.ImportStar)
        names: list[cst.ImportAlias] = []
        for alias in node.names:
            if not (isinstance(alias.name, cst.Name) and alias.name.value == self.old):
                names.append(alias)
                continue
            renamed = alias.with_changes(name=cst.Name(self.new))
            if self.keep_old:
                between = alias.comma if isinstance(alias.comma, cst.Comma) and alias is not node.names[-1] else None
                spaced = cst.Comma(whitespace_after=_before_name(node, alias))
                names.append(alias.with_changes(comma=between or spaced))
                renamed = renamed.with_changes(comma=alias.comma)
            names.append(renamed)
        return node.with_changes(names=names)


def _before_name(node: cst.ImportFrom, alias: cst.ImportAlias) -> cst.BaseParenthesizableWhitespace:
    """The space between two names of this import: a line break where each stands on its own line."""
    assert not isinstance(node.names, cst.ImportStar)
    position = list(node.names).index(alias)
    if position:
        comma = node.names[position - 1].comma
        if isinstance(comma, cst.Comma):
            return comma.whitespace_after
    if node.lpar is not None and isinstance(node.lpar.whitespace_after, cst.ParenthesizedWhitespace):
        return node.lpar.whitespace_after
    return cst.SimpleWhitespace(" ")
