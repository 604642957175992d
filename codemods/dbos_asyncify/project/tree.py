"""Looking at syntax trees; walking them quickly: most of the analysis' time goes by here."""

from __future__ import annotations

import ast

_LEAVES = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below `node`, in the order of the source, without operators and contexts."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found.extend([child for child in value if isinstance(child, ast.AST)])
        elif isinstance(value, ast.AST) and not isinstance(value, _LEAVES):
            found.append(value)
    return found


def parents_of(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    """The parent of every node below `tree`."""
    parents: dict[ast.AST, ast.AST] = {}
    pending = [tree]
    while pending:
        node = pending.pop()
        for child in children(node):
            parents[child] = node
            pending.append(child)
    return parents


def without_body(node: ast.AST) -> bool:
    """Whether a function is only there to be overridden: it holds a docstring, `...` or NotImplementedError."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (isinstance(statement, ast.Raise) and "NotImplemented" in ast.unparse(statement))
        for statement in node.body
    )
