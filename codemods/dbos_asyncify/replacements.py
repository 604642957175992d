"""What one fix by itself does to the text of the files: for outputs whose readers apply fixes themselves."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator
from pathlib import Path

from dbos_asyncify.edits.rewrite import rewrite
from dbos_asyncify.findings import Fix, Replacement
from dbos_asyncify.flow.annotations import import_edits
from dbos_asyncify.project.program import Program
from dbos_asyncify.source import Span


def replacements(program: Program, fix: Fix) -> Iterator[Replacement]:
    """The replacements of a fix, in the order of the files and of their text. Raises EditError as `rewrite` does."""
    for path, edits in sorted(fix.edits.items()):
        unit = program.unit_at[path]
        text = rewrite(unit.source, unit.tree, [*edits, *import_edits(program, unit, edits)])
        yield from _replaced(path, unit.source.lines, tuple(io.StringIO(text, newline="")))


def _replaced(path: Path, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Replacement]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind != "equal":
            yield Replacement(path, Span(start + 1, 0, end + 1, 0), "".join(after[new_start:new_end]))
