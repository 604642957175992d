"""A file as a flat list of statements without what is nested in them, to compare versions of it one by one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_NESTED = ("body", "orelse", "finalbody", "handlers", "cases")


@dataclass(frozen=True)
class Head:
    """A statement, an `except` or a `case`, up to its block. `function` is the innermost one around it, or itself."""

    line: int
    end: int
    function: str
    asynchronous: bool  # whether that function is a coroutine
    outer: str  # for the head of a function the one around it, where default values are evaluated
    around: bool  # whether that one is a coroutine
    text: str

    def covers(self, line: int) -> bool:
        return self.line <= line <= self.end


def heads(text: str) -> list[Head]:
    """All of a file, in its order, but for the imports at its top."""
    body = [node for node in ast.parse(text).body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    return [head for node in body for head in _of(node, "", asynchronous=False)]


def _of(node: ast.stmt | ast.excepthandler | ast.match_case, function: str, *, asynchronous: bool) -> Iterator[Head]:
    outer, around = function, asynchronous
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        function, asynchronous = node.name, isinstance(node, ast.AsyncFunctionDef)
    blocks = [block for name in _NESTED for block in getattr(node, name, ())]
    shown = ast.unparse(_without_blocks(node))
    start = _start(node)
    end = min((_start(block) - 1 for block in blocks), default=getattr(node, "end_lineno", start) or start)
    yield Head(start, max(start, end), function, asynchronous, outer, around, shown)
    for block in blocks:
        yield from _of(block, function, asynchronous=asynchronous)


def _start(node: ast.stmt | ast.excepthandler | ast.match_case) -> int:
    """The first line: of the decorators, where there are some."""
    if isinstance(node, ast.match_case):
        return node.pattern.lineno
    decorated = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.decorator_list
    return decorated[0].lineno if decorated else node.lineno


def _without_blocks(node: ast.AST) -> ast.AST:
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Match):
        return node.subject
    if isinstance(node, ast.Try):
        return ast.Pass()
    for name in _NESTED:
        if isinstance(fields.get(name), list):
            fields[name] = [ast.Pass()] if name == "body" else []
    return ast.copy_location(type(node)(**fields), node)
