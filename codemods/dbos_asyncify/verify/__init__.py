"""Proof that a rewritten file differs from the original by its declared edits alone.

Independent of the LibCST code that carries edits out: the original's syntax tree and the result's are walked side by
side, and every difference must be one that an edit at that very place declares. Comments must all be there, but for
those that an edit changes, and lines without an edit must be the same bytes; what moves may lose its indentation.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence

from dbos_asyncify.edits import Edit, EditComment
from dbos_asyncify.source import Source
from dbos_asyncify.verify.error import VerifyError
from dbos_asyncify.verify.moves import moves_of, order_of
from dbos_asyncify.verify.text import comments, declared, lines
from dbos_asyncify.verify.trees import Comparison

__all__ = ["VerifyError", "verify"]


def verify(source: Source, tree: ast.Module, text: str, edits: Sequence[Edit]) -> None:
    """Raise VerifyError unless `text` is `source` (whose syntax tree is `tree`) with exactly `edits` carried out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = ast.parse(text)
            compile(text, str(source.path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise VerifyError(f"the result does not compile: {error}") from error
    moves = moves_of(source, tree, edits)
    comparison = Comparison(source, edits, moves)
    comparison.modules(tree, result)
    changed = {edit.span.line: edit for edit in edits if isinstance(edit, EditComment)}
    for edit in edits:
        if id(edit) not in comparison.seen and changed.get(edit.span.line) is not edit:
            raise VerifyError(f"line {edit.span.line}: nothing there to edit ({type(edit).__name__})")
    order = order_of(source, moves)
    if declared(comments(source.text), changed, order) != [comment for _, comment in comments(text)]:
        raise VerifyError("a comment was lost, added or moved")
    lines(source, text, edits, changed, moves)
