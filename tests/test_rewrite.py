"""Statements that LibCST cannot parse."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import Edit, RenameCall
from dbos_asyncify.edits.rewrite import EditError, rewrite
from dbos_asyncify.source import Source


def renamed(text: str) -> tuple[Source, ast.Module, list[Edit]]:
    """`text` and the edits that call `g` where it calls `f`."""
    src = source.from_bytes(Path("f.py"), text.encode())
    tree = source.parse(src)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node) == "f()"]
    return src, tree, [RenameCall(source.span(call, src), "f", "g") for call in calls]


@pytest.mark.parametrize(
    "text",
    ["class A(key=f(), *d):\n    pass\n", "def h():\n    \\\n    return f()\n"],
    ids=["arguments", "continued indentation"],
)
def test_what_does_not_parse_at_all_cannot_be_edited(text: str) -> None:
    with pytest.raises(EditError, match="LibCST cannot parse"):
        rewrite(*renamed("import x\n\n" + text))
