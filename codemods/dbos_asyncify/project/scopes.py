"""Which names each scope binds: read off the syntax before any value is followed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dbos_asyncify.project.facts import Scope
from dbos_asyncify.project.tree import children

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode = ast.Module | ast.ClassDef | FunctionNode


def scopes_of(tree: ast.Module) -> tuple[list[Scope], dict[ast.AST, int]]:
    """The scopes of a module, and the number of the scope that each module, class and function node opens."""
    scopes: list[Scope] = []
    opened: dict[ast.AST, int] = {}
    pending: list[tuple[ScopeNode, int]] = [(tree, -1)]
    while pending:
        node, parent = pending.pop()
        kind = {ast.Module: "module", ast.ClassDef: "class"}.get(type(node), "function")
        scope = Scope(len(scopes), kind, parent)
        scopes.append(scope)
        opened[node] = scope.index
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            scope.bound.update(argument.arg for argument in arguments_of(node.args))
        for child in own_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
                pending.append((child, scope.index))
            if isinstance(child, ast.Global):
                scope.global_names.update(child.names)
            elif isinstance(child, ast.Nonlocal):
                scope.nonlocal_names.update(child.names)
            else:
                scope.bound.update(bound_names(child))
        scope.bound -= scope.global_names | scope.nonlocal_names
    for scope in scopes:
        for name in scope.global_names:
            scopes[0].bound.add(name)
            if scope.index:
                scopes[0].shared.add(name)
        for name in scope.nonlocal_names:
            owner = owner_of(scopes, scope.index, name)
            if owner >= 0:
                scopes[owner].shared.add(name)
    return scopes, opened


def owner_of(scopes: list[Scope], index: int, name: str) -> int:
    """The scope whose variable `name` means when read in scope `index`; -1 for the module's or a builtin."""
    scope = scopes[index]
    if name in scope.global_names:
        return -1
    if name in scope.bound and scope.kind != "module":
        return index
    parent = scope.parent
    while parent >= 0:
        above = scopes[parent]
        if above.kind == "function" and name in above.bound:
            return parent
        parent = above.parent
    return -1


def arguments_of(arguments: ast.arguments) -> Iterator[ast.arg]:
    """All parameters, in the order of the signature."""
    yield from arguments.posonlyargs
    yield from arguments.args
    if arguments.vararg:
        yield arguments.vararg
    yield from arguments.kwonlyargs
    if arguments.kwarg:
        yield arguments.kwarg


def own_nodes(node: ScopeNode) -> Iterator[ast.AST]:
    """The nodes that belong to a scope itself: nested functions and classes are given, but not their insides.

    Their decorators, defaults, bases and annotations are evaluated outside and belong to this scope.
    """
    if isinstance(node, ast.Lambda):
        pending: list[ast.AST] = [node.body]
    else:
        pending = list(reversed(node.body))
    while pending:
        child = pending.pop()
        yield child
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending.extend(child.decorator_list)
            pending.extend(outer_parts(child.args))
            if child.returns:
                pending.append(child.returns)
        elif isinstance(child, ast.Lambda):
            pending.extend(outer_parts(child.args))
        elif isinstance(child, ast.ClassDef):
            pending.extend([*child.decorator_list, *child.bases, *(word.value for word in child.keywords)])
        elif isinstance(child, ast.comprehension):
            pending.extend([*reversed(child.ifs), child.iter])  # the target is the comprehension's own
        else:
            pending.extend(reversed(children(child)))


def outer_parts(arguments: ast.arguments) -> Iterator[ast.expr]:
    """The parts of a signature that are evaluated where the function is defined."""
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)
    yield from (argument.annotation for argument in arguments_of(arguments) if argument.annotation)


def bound_names(node: ast.AST) -> Iterator[str]:
    """The names that this one node binds in its scope."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif (isinstance(node, ast.ExceptHandler) and node.name) or (
        isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name
    ):
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def definitions_in(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Every binding in these statements, with the node that stands for the definition.

    Used for loops and `try`: any of them may have run when control comes back to the top, or to a handler.
    """
    for node in own_nodes(ast.Module(body=body, type_ignores=[])):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id, node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias
        else:
            for name in bound_names(node):
                yield name, node
