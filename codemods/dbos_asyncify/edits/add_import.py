"""Where `import asyncio` and `from dbos import DBOS` go: among the file's imports, in order."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from dbos_asyncify.edits.base import Import
from dbos_asyncify.edits.regions import above_comments, first_line
from dbos_asyncify.source import Source

Section = list[ast.Import | ast.ImportFrom]


def insertions(source: Source, tree: ast.Module, imports: Iterable[Import]) -> list[tuple[int, str]]:
    """The lines to add, each with the number of the line that it goes before."""
    return [_insertion(source, tree, wanted) for wanted in sorted(set(imports), key=lambda wanted: wanted.line)]


def _insertion(source: Source, tree: ast.Module, wanted: Import) -> tuple[int, str]:
    line, newline = wanted.line, source.newline
    start = _after_prologue(tree)
    body = tree.body[start:]
    if start and body and body[0].lineno == tree.body[start - 1].end_lineno:
        return _after_shared_line(tree.body[start - 1 :]), newline + line + newline
    sections = _sections(source, body)
    if wanted.name and sections:
        return _among_packages(source, sections, wanted)
    section = sections[0] if sections else []
    if section and any(_is_standard(statement) for statement in section):
        for statement in section:
            if isinstance(statement, ast.ImportFrom) or _sort_key(statement) > wanted.module:
                return statement.lineno, line + newline
        return (section[-1].end_lineno or 0) + 1, _after(source, section[-1], line)
    if section:
        return section[0].lineno, f"{line}{newline}{newline}"
    if start:
        last = tree.body[start - 1]
        return (last.end_lineno or 0) + 1, _after(source, last, newline + line)
    if body:
        return above_comments(source, first_line(body[0])), f"{line}{newline}{newline}"
    return len(source.lines) + 1, line + newline


def _among_packages(source: Source, sections: list[Section], wanted: Import) -> tuple[int, str]:
    """The place of an import from a package: behind the standard library's, before the project's own modules."""
    line, newline = wanted.line, source.newline
    packages = next((section for section in sections if any(map(_is_package, section))), None)
    if packages is not None:
        for statement in packages:
            if isinstance(statement, ast.ImportFrom) and (
                statement.level or (_is_package(statement) and (statement.module or "") > wanted.module)
            ):
                return statement.lineno, line + newline
        return (packages[-1].end_lineno or 0) + 1, _after(source, packages[-1], line)
    last = next((statement for section in sections for statement in reversed(section) if _is_standard(statement)), None)
    if last is None:
        return sections[0][0].lineno, f"{line}{newline}{newline}"
    return (last.end_lineno or 0) + 1, _after(source, last, newline + line)


def _after_shared_line(statements: list[ast.stmt]) -> int:
    """The line after statements that share lines: `from __future__ import annotations; import os`."""
    end = statements[0].end_lineno or 0
    for statement in statements[1:]:
        if statement.lineno > end:
            break
        end = statement.end_lineno or end
    return end + 1


def _after_prologue(tree: ast.Module) -> int:
    """How many statements at the top must stay there: the docstring and `from __future__` imports."""
    count = 0
    for index, statement in enumerate(tree.body):
        docstring = index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if docstring and isinstance(statement.value.value, str):  # type: ignore[attr-defined]
            count = 1
        elif isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            count = index + 1
        else:
            break
    return count


def _sections(source: Source, body: list[ast.stmt]) -> list[Section]:
    """The runs of import statements without a blank line in them that the code begins with."""
    sections: list[Section] = []
    for statement in body:
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            if sections or not isinstance(statement, (ast.Expr, ast.Assign, ast.If, ast.Try)):
                break
            continue
        if not source.lines[statement.lineno - 1].startswith(("import", "from")):
            break
        between = source.lines[sections[-1][-1].end_lineno : statement.lineno - 1] if sections else [""]
        if any(not text.strip() for text in between):
            sections.append([])
        sections[-1].append(statement)
    return sections


def _is_package(statement: ast.Import | ast.ImportFrom) -> bool:
    relative = isinstance(statement, ast.ImportFrom) and statement.level
    return not relative and not _is_standard(statement)


def _is_standard(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return not statement.level and (statement.module or "").partition(".")[0] in sys.stdlib_module_names
    return statement.names[0].name.partition(".")[0] in sys.stdlib_module_names


def _sort_key(statement: ast.Import | ast.ImportFrom) -> str:
    return statement.names[0].name if isinstance(statement, ast.Import) else ""


def _after(source: Source, statement: ast.stmt, text: str) -> str:
    """`text` on lines of its own after `statement`, also where the file ends without a line end."""
    last = source.lines[(statement.end_lineno or 1) - 1]
    before = "" if last.endswith(("\n", "\r")) else source.newline
    return before + text + source.newline
