"""A module without its asynchrony: what is left is the same before and after, and each node knows what it lost."""

from __future__ import annotations

import ast
from collections.abc import Set

_FORM = "trip_form"
_NEW, _OLD = "WorkflowHandleAsync", "WorkflowHandle"


def form(node: ast.AST) -> str:
    """What was erased at a node, as a list of words; empty for most."""
    return str(getattr(node, _FORM, ""))


def imports(tree: ast.Module) -> set[str]:
    """What a module imports, one line a name."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = "." * getattr(node, "level", 0) + (getattr(node, "module", "") or "")
            found |= {f"{module}:{alias.name}:{alias.asname or ''}" for alias in node.names}
    return found


class Eraser(ast.NodeTransformer):
    """Erases `await`, `_async`, threads, asynchronous loops and functions, the names of handles, and imports."""

    def __init__(self, properties: Set[str]) -> None:
        self.properties = properties

    def erased(self, text: bytes) -> ast.Module:
        tree = self.visit(ast.parse(text))
        assert isinstance(tree, ast.Module)
        return tree

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return _marked(self.visit(node.value), "await")

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            if node.func.attr == "to_thread" and node.args:
                call = ast.copy_location(ast.Call(node.args[0], node.args[1:], node.keywords), node)
                return _marked(call, f"thread {form(node.func)}")
            if form(node.func):
                plain = node.func.attr.removeprefix("get_")
                if plain in self.properties and not node.args:
                    node.func.attr = plain
                    return node.func
                delattr(node.func, _FORM)
                return _marked(node, "async")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if node.attr.endswith("_async"):
            node.attr = node.attr.removesuffix("_async")
            return _marked(node, "async")
        return self.visit_Name(node)

    def visit_Name(self, node: ast.Name | ast.Attribute) -> ast.AST:
        field = "id" if isinstance(node, ast.Name) else "attr"
        if getattr(node, field) == _NEW:
            setattr(node, field, _OLD)
            return _marked(node, "handle")
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and _NEW in node.value:
            node.value = node.value.replace(_NEW, _OLD)
            return _marked(node, "handle")
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        function = ast.FunctionDef(**{field: getattr(node, field) for field in node._fields})
        return _marked(ast.copy_location(function, node), "def")

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """Where something is awaited in it, a list stands in its place."""
        self.generic_visit(node)
        return _marked(ast.copy_location(ast.ListComp(node.elt, node.generators), node), "lazy")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        loop = ast.For(node.target, node.iter, node.body, node.orelse, node.type_comment)
        return _marked(ast.copy_location(loop, node), "for")

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if node.is_async:
            node.is_async = 0
            return _marked(node, "for")
        return node

    def visit_Import(self, node: ast.Import) -> None:
        """What is imported is compared apart, see `imports`."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """As above."""


def _marked(node: ast.AST, word: str) -> ast.AST:
    words = sorted([*form(node).split(), *word.split()])
    setattr(node, _FORM, " ".join(words))
    return node
