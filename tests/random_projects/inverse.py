"""Turns correct asynchronous code into the synchronous form that people have before they migrate.

Works on the text alone, with the names of the functions that were no coroutines then; the tool is not asked.
"""

from __future__ import annotations

import ast
from collections.abc import Container

_CONSUMERS = frozenset({"sum", "sorted", "max"})  # they were given a generator expression
_WAITS = frozenset({"get_result", "get_status"})


def synchronous(text: str, helpers: Container[str], migrated: Container[str]) -> str:
    """The synchronous form of a file. `helpers` become plain functions, the body of `migrated` ones stays."""
    tree = ast.parse(text)
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            aliases.update({name.asname: name.name for name in node.names if name.asname})
    tree = _Inverse(helpers, migrated, aliases).visit(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree.body = [node for node in tree.body if "asyncio" in used or ast.unparse(node) != "import asyncio"]
    return ast.unparse(tree)


class _Inverse(ast.NodeTransformer):
    def __init__(self, helpers: Container[str], migrated: Container[str], aliases: dict[str, str]) -> None:
        self.helpers = helpers
        self.migrated = migrated
        self.aliases = aliases

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        if node.name in self.migrated:
            return node
        self.generic_visit(node)
        if node.name not in self.helpers:
            return node
        fields = dict(ast.iter_fields(node))
        return ast.copy_location(ast.FunctionDef(**fields), node)

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        name = self._called(call.func)
        if name == "to_thread":
            return ast.Call(call.args[0], call.args[1:], call.keywords)
        if name.endswith("_async") and isinstance(call.func, ast.Attribute):
            call.func.attr = name.removesuffix("_async")
            return call
        return call if name in self.helpers or name in _WAITS else node

    def _called(self, func: ast.expr) -> str:
        if isinstance(func, ast.Attribute):
            return func.attr
        return self.aliases.get(func.id, func.id) if isinstance(func, ast.Name) else ""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A list that awaits, given to something that takes all of it at once, was a generator expression."""
        given = node.args[0] if len(node.args) == 1 else None
        awaited = isinstance(given, ast.ListComp) and _awaits(given)
        self.generic_visit(node)
        given = node.args[0] if len(node.args) == 1 else None
        if isinstance(node.func, ast.Name) and node.func.id in _CONSUMERS and isinstance(given, ast.ListComp):
            if awaited and not _awaits(given):
                node.args = [ast.GeneratorExp(given.elt, given.generators)]
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        if not self._streams(node.iter):
            return node
        fields = dict(ast.iter_fields(node))
        return ast.copy_location(ast.For(**fields), node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if node.is_async and self._streams(node.iter):
            node.is_async = 0
        return node

    @staticmethod
    def _streams(source: ast.expr) -> bool:
        """Whether this is a stream of dbos, which is synchronous from here on."""
        if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute):
            if source.func.attr == "read_stream_async":
                source.func.attr = "read_stream"
                return True
        return False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = "WorkflowHandle" if node.id == "WorkflowHandleAsync" else node.id
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        for name in node.names:
            name.name = "WorkflowHandle" if name.name == "WorkflowHandleAsync" else name.name
        node.names = list({(name.name, name.asname): name for name in node.names}.values())
        return node


def _awaits(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Await) for part in ast.walk(node))
