"""Whose name is whose: the scopes of a module, what is bound in them, and the parent of each node."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One way in which a name gets a value. `value` is None where the value is out of sight.

    `inside` says that the name gets an element of `value`, not `value` itself.
    """

    node: ast.AST
    value: ast.expr | None = None
    inside: bool = False
    annotation: ast.expr | None = None


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension, and what its names are bound to."""

    node: ast.AST
    parent: Scope | None
    names: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)

    def find(self, name: str) -> Scope | None:
        """The scope that binds `name` as it is read here."""
        scope: Scope | None = self
        while scope is not None:
            hidden = isinstance(scope.node, ast.ClassDef) and scope is not self
            if name in scope.names and not hidden:
                return scope
            scope = scope.parent
        return None


class Names:
    """The scopes and parents of all nodes of `tree`."""

    def __init__(self, tree: ast.Module) -> None:
        self.scopes: dict[ast.AST, Scope] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        self.module = Scope(tree, None)
        self._enter(tree, self.module)
        for node, scope in self.scopes.items():
            for name, binding in _bindings(node):
                self._home(scope, name, node).names.setdefault(name, []).append(binding)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What a node stands in, from the inside out."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def _home(self, scope: Scope, name: str, node: ast.AST) -> Scope:
        if isinstance(node, ast.NamedExpr):
            while isinstance(scope.node, _COMPREHENSIONS) and scope.parent is not None:
                scope = scope.parent
        if name in scope.elsewhere:
            outer = scope.parent
            while outer is not None and name not in outer.names:
                outer = outer.parent
            return outer or self.module
        return scope

    def _enter(self, node: ast.AST, scope: Scope) -> None:
        self.scopes[node] = scope
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            scope.elsewhere.update(node.names)
        inner = scope
        if isinstance(node, (*_FUNCTIONS, *_COMPREHENSIONS, ast.ClassDef)):
            inner = Scope(node, scope)
        outside = _outside(node)
        for child in ast.iter_child_nodes(node):
            self.parents[child] = node
            self._enter(child, scope if child in outside else inner)


def _outside(node: ast.AST) -> list[ast.AST]:
    """The children of a scope that are evaluated outside of it."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [*node.decorator_list, *([node.returns] if node.returns else [])]
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases]
    return []


def _bindings(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, ast.arg):
        yield node.arg, Binding(node, annotation=node.annotation)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, Binding(node)
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], Binding(node)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _targets(target, node, node.value, inside=False)
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        if node.value is not None or node.annotation is not None:
            yield node.target.id, Binding(node, node.value, annotation=node.annotation)
    elif isinstance(node, ast.NamedExpr):
        yield node.target.id, Binding(node, node.value)
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield from _targets(node.target, node, node.iter, inside=True)
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from _targets(node.optional_vars, node, None, inside=False)
    elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, Binding(node)
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name, Binding(node)


def _targets(target: ast.expr, node: ast.AST, value: ast.expr | None, *, inside: bool) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, ast.Name):
        yield target.id, Binding(node, value, inside)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value, node, value, inside=inside)
    elif isinstance(target, (ast.Tuple, ast.List)):
        parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) and not inside else []
        for index, element in enumerate(target.elts):
            if len(parts) == len(target.elts):
                yield from _targets(element, node, parts[index], inside=False)
            else:
                yield from _targets(element, node, value, inside=True)
