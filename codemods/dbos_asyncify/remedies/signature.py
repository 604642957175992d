"""What a signature reads when a module is imported: of a function that moves to the module, that is sooner."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import Unit
from dbos_asyncify.project.scopes import arguments_of


def too_early(unit: Unit, function: Function) -> str:
    """A name in a function's signature that has no value yet above the top-level statement around it; or empty."""
    node = function.node
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    evaluated = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
    annotations = [each.annotation for each in arguments_of(node.args) if each.annotation]
    if not _are_texts(unit):
        evaluated.extend([*annotations, *filter(None, [node.returns])])
    own = {parameter.name for parameter in getattr(node, "type_params", [])}
    names = [name for part in evaluated for name in _read_by(part) if name not in own]
    return next(_not_there(unit, node, names), "")


def is_known(unit: Unit, function: Function, annotation: ast.expr) -> bool:
    """Whether an annotation means something in a signature above the top-level statement around a function."""
    names = list(_read_by(annotation))
    if _are_texts(unit):
        return all((0, name) in unit.facts.cells or hasattr(builtins, name) for name in names)
    return not any(_not_there(unit, function.node, names))


def _are_texts(unit: Unit) -> bool:
    """`from __future__ import annotations`."""
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.names[0].name == "annotations"
        for node in unit.tree.body
    )


def _read_by(part: ast.expr) -> Iterator[str]:
    own = {node.arg for node in ast.walk(part) if isinstance(node, ast.arg)}
    names = [node for node in ast.walk(part) if isinstance(node, ast.Name)]
    own |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    yield from (node.id for node in names if node.id not in own)


def _not_there(unit: Unit, function: ast.AST, names: Iterable[str]) -> Iterator[str]:
    """Those of the names that the module binds later, for type checkers only, or not at all."""
    facts = unit.facts
    top = function
    while not isinstance(facts.parents[top], ast.Module):
        top = facts.parents[top]
    line = min([top.lineno, *(each.lineno for each in getattr(top, "decorator_list", []))])  # type: ignore[attr-defined]
    for name in names:
        nodes = [facts.nodes[number] for number in facts.cells.get((0, name), ())]
        there = any(node.lineno < line and not _is_for_checkers(unit, node) for node in nodes if node is not None)  # type: ignore[attr-defined]
        if not there and (nodes or not hasattr(builtins, name)):
            yield name


def _is_for_checkers(unit: Unit, node: ast.AST) -> bool:
    here: ast.AST | None = node
    while here is not None and not (isinstance(here, ast.If) and "TYPE_CHECKING" in ast.unparse(here.test)):
        here = unit.facts.parents.get(here)
    return here is not None
