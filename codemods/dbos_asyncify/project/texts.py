"""The source text of functions as `inspect.getsource` gives it: what DBOS makes its application version from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from dbos_asyncify.source import Source

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def texts_of(source: Source, tree: ast.Module) -> dict[tuple[str, int], tuple[Definition, str]]:
    """Each function with its text, by its qualified name and a number among those of this name."""
    found: dict[tuple[str, int], tuple[Definition, str]] = {}
    count: dict[str, int] = {}
    for name, node, statement in _definitions(tree, "", tree):
        number = count[name] = count.get(name, -1) + 1
        found[name, number] = (node, _text(source.lines, node if not isinstance(node, ast.Lambda) else statement))
    return found


def _definitions(node: ast.AST, prefix: str, statement: ast.AST) -> Iterator[tuple[str, Definition, ast.AST]]:
    """The functions below a node in the order of the text, with their qualified names and statements."""
    for child in ast.iter_child_nodes(node):
        inside, around = prefix, child if isinstance(child, ast.stmt) else statement
        if isinstance(child, Definition):
            name = prefix + ("<lambda>" if isinstance(child, ast.Lambda) else child.name)
            yield name, child, around
            inside = f"{name}.<locals>."
        elif isinstance(child, ast.ClassDef):
            inside = f"{prefix}{child.name}."
        yield from _definitions(child, inside, around)


def _text(lines: Sequence[str], node: ast.AST) -> str:
    """The lines of a statement, with decorators, and with the comments below that are as deep as its body."""
    decorators = getattr(node, "decorator_list", [])
    first = min([getattr(node, "lineno", 1), *(decorator.lineno for decorator in decorators)])
    last = getattr(node, "end_lineno", None) or first
    body = getattr(node, "body", [])
    depth = body[0].col_offset if isinstance(body, list) and body and body[0].lineno > first else -1
    for number, line in enumerate(lines[last:], start=last + 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            if 0 <= depth <= len(line) - len(line.lstrip()):
                last = number
        elif stripped:
            break
    return "".join(lines[first - 1 : last])
