"""Annotations follow the handles: `WorkflowHandle[str]` -> `WorkflowHandleAsync[str]`, and the imports with them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from dbos_asyncify.edits import Edit, ImportName, RenameInString, RenameReference
from dbos_asyncify.flow.uses import origins
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.values import Ext, Site
from dbos_asyncify.source import span

OLD, NEW = "WorkflowHandle", "WorkflowHandleAsync"


def annotation_edits(program: Program, sites: frozenset[Site]) -> dict[Unit, list[Edit]]:
    """The edits of every annotation of something that holds what these calls give."""
    found: dict[int, list[Edit]] = {}
    for unit in program.units.values():
        for annotation in _annotations(program, unit, sites):
            found.setdefault(unit.number, []).extend(_renamed(program, unit, annotation))
    return {program.units[number]: _distinct(edits) for number, edits in found.items()}


def _distinct(edits: Iterable[Edit]) -> list[Edit]:
    return list(dict.fromkeys(edits))


def _annotations(program: Program, unit: Unit, sites: frozenset[Site]) -> Iterator[ast.expr]:
    values, facts = program.values, unit.facts
    for scope, name, annotation in facts.variable_annotations:
        cell = facts.cells.get((scope, name), ())
        held = origins(values, [atom for number in cell for atom in values.value(unit.number, number)])
        if held and held <= sites:
            yield annotation
    for index, cls in enumerate(facts.classes):
        for name, (_, annotation) in cls.annotations.items():
            if origins(values, values.attribute_value(unit.number, index, name)) & sites:
                yield annotation
    for store in facts.attribute_stores:
        if store.value in facts.annotated:
            if origins(values, values.value(unit.number, store.target)) & sites:
                yield facts.annotated[store.value]
    for function in facts.functions:
        returns = getattr(function.node, "returns", None)
        if returns is not None and origins(values, values.returned(unit.number, function.index)) & sites:
            yield returns


def _renamed(program: Program, unit: Unit, annotation: ast.expr) -> Iterator[Edit]:
    for node in ast.walk(annotation):
        if isinstance(node, (ast.Name, ast.Attribute)) and _means_handle(program, unit, node):
            old = node.id if isinstance(node, ast.Name) else node.attr
            if old == OLD:
                yield RenameReference(span(node, unit.source), old, NEW)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OLD in node.value:
            yield RenameInString(span(node, unit.source), OLD, NEW)


def _means_handle(program: Program, unit: Unit, node: ast.expr) -> bool:
    return Ext(f"dbos.{OLD}") in program.value(unit, node)


def import_edits(program: Program, unit: Unit, edits: Iterable[Edit]) -> list[Edit]:
    """What the file's import of `WorkflowHandle` becomes once these edits are carried out."""
    renamed = [edit for edit in edits if isinstance(edit, (RenameReference, RenameInString))]
    statement = _import_of(unit, OLD)
    if not renamed or statement is None or _import_of(unit, NEW) is not None:
        return []
    spans = {edit.span for edit in renamed}
    left = any(
        OLD in (node.id if isinstance(node, ast.Name) else str(node.value)) and span(node, unit.source) not in spans
        for node in ast.walk(unit.tree)
        if isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
        if not isinstance(node, ast.Name) or node.id == OLD
    )
    names_only = all(isinstance(edit, RenameInString) or edit.span not in _dotted(unit) for edit in renamed)
    return [ImportName(span(statement, unit.source), OLD, NEW, keep_old=left)] if names_only else []


def _dotted(unit: Unit) -> set[object]:
    return {span(node, unit.source) for node in ast.walk(unit.tree) if isinstance(node, ast.Attribute)}


def _import_of(unit: Unit, name: str) -> ast.ImportFrom | None:
    for node in ast.walk(unit.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "dbos" and not node.level:
            if any(alias.name == name and alias.asname is None for alias in node.names):
                return node
    return None
