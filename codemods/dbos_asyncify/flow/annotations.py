"""Annotations follow the handles: `WorkflowHandle[str]` -> `WorkflowHandleAsync[str]`, and the imports with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbos_asyncify.edits import Edit, ImportName, RenameInString, RenameReference
from dbos_asyncify.flow.uses import origins
from dbos_asyncify.project.facts import Imported, Typed
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import Cls, Ext, Site, TypeName
from dbos_asyncify.source import Span, span

OLD, NEW = "WorkflowHandle", "WorkflowHandleAsync"
_HOMES = ("dbos", "dbos._dbos")  # both names are in both: in the package, and in the module that defines them


@dataclass(frozen=True, slots=True)
class Annotation:
    """An annotation, and the calls that gave the handles which it describes."""

    unit: Unit
    node: ast.expr
    sites: frozenset[Site]


def all_annotations(program: Program) -> list[Annotation]:
    """Every annotation of something that holds handles: variables, parameters, fields, results, casts."""
    found = [each for unit in program.units.values() for each in _annotations(program, unit) if each.sites]
    return [*found, *_named_types(program, found)]


def _named_types(program: Program, found: Iterable[Annotation]) -> Iterator[Annotation]:
    """The types that these annotations call by name (`Handles = list[WorkflowHandle[int]]`), and those in turn."""
    sites: dict[Site, set[Site]] = {}
    pending = list(found)
    while pending:
        annotation = pending.pop()
        for node in ast.walk(annotation.node):
            for atom in program.value(annotation.unit, node):
                if isinstance(atom, TypeName) and not annotation.sites <= sites.get(atom.site, set()):
                    sites.setdefault(atom.site, set()).update(annotation.sites)
                    unit = program.units[atom.site.module]
                    pending.append(Annotation(unit, unit.facts.aliases[atom.site.node], annotation.sites))
    for site, held in sites.items():
        unit = program.units[site.module]
        yield Annotation(unit, unit.facts.aliases[site.node], frozenset(held))


def annotation_edits(program: Program, found: Iterable[Annotation], sites: frozenset[Site]) -> dict[Unit, list[Edit]]:
    """The edits of the annotations of what these calls give, and only they."""
    edits: dict[int, list[Edit]] = {}
    for annotation in found:
        if annotation.sites <= sites:
            edits.setdefault(annotation.unit.number, []).extend(_renamed(program, annotation.unit, annotation.node))
    return {program.units[number]: list(dict.fromkeys(renames)) for number, renames in edits.items()}


def _annotations(program: Program, unit: Unit) -> Iterator[Annotation]:
    values, facts = program.values, unit.facts
    for scope, name, node in facts.variable_annotations:
        held = [atom for number in facts.cells.get((scope, name), ()) for atom in values.value(unit.number, number)]
        if not scope:
            held.extend(values.set_from_outside(unit.number, name))
        yield Annotation(unit, node, origins(values, held))
    for index, cls in enumerate(facts.classes):
        owners = [Cls(unit.number, index), *values.subclasses(unit.number, index)]
        for name, (_, node) in cls.annotations.items():
            held = [atom for owner in owners for atom in values.attribute_value(owner.module, owner.index, name)]
            yield Annotation(unit, node, origins(values, held))
    for number, op in enumerate(facts.ops):
        call = facts.nodes[number]
        if isinstance(op, Typed) and isinstance(call, ast.Call):  # typing.cast
            yield Annotation(unit, call.args[0], origins(values, values.value(unit.number, number)))
    for store in facts.attribute_stores:
        if store.value in facts.annotated:
            yield Annotation(
                unit, facts.annotated[store.value], origins(values, values.value(unit.number, store.target))
            )
    for function in facts.functions:
        returns = getattr(function.node, "returns", None)
        if returns is not None:
            keys = {(unit.number, function.index), *program.overridden_by(unit, function)}
            held = [atom for key in keys for atom in values.returned(*key)]
            yield Annotation(unit, returns, origins(values, held))


def _renamed(program: Program, unit: Unit, annotation: ast.expr) -> Iterator[Edit]:
    for node in ast.walk(annotation):
        if isinstance(node, (ast.Name, ast.Attribute)) and _means_handle(program, unit, node):
            old = node.id if isinstance(node, ast.Name) else node.attr
            if old == OLD:
                yield RenameReference(span(node, unit.source), old, NEW)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OLD in node.value:
            yield RenameInString(span(node, unit.source), OLD, NEW)


def _means_handle(program: Program, unit: Unit, node: ast.expr) -> bool:
    value = program.value(unit, node)
    return any(Ext(f"{home}.{OLD}") in value for home in _HOMES)


def import_edits(program: Program, unit: Unit, edits: Iterable[Edit]) -> list[Edit]:
    """What the file's imports need once these edits are carried out: `WorkflowHandleAsync` where it is named now."""
    renamed = {edit.span for edit in edits if isinstance(edit, RenameReference)}
    in_strings = {edit.span for edit in edits if isinstance(edit, RenameInString)}
    homes = {_home(unit, node) for node in _handle_names(unit) if span(node, unit.source) in renamed}
    if in_strings:
        homes.add(0)
    found: list[Edit] = []
    for home in sorted(homes):
        statements = _imports_of(unit, home, OLD)
        for_types = bool(statements) and all(_for_types(unit, statement) for statement in statements)
        new = _imports_of(unit, home, NEW)
        if any(for_types or not _for_types(unit, statement) for statement in new):
            continue
        if statements:
            keep = _still_used(program, unit, home, renamed, in_strings)
            found.extend(ImportName(span(statement, unit.source), OLD, NEW, keep) for statement in statements)
        else:
            beside = next((s for s in unit.tree.body if isinstance(s, ast.ImportFrom) and s.module == "dbos"), None)
            if beside is not None and beside.names[-1].asname is None:
                found.append(ImportName(span(beside, unit.source), beside.names[-1].name, NEW, keep_old=True))
    return found


def _handle_names(unit: Unit) -> Iterator[ast.Name]:
    """The places where the file itself (not a string in it) reads the old name."""
    for node in unit.facts.numbers:
        if isinstance(node, ast.Name) and node.id == OLD and isinstance(node.ctx, ast.Load):
            if node in unit.facts.parents:
                yield node


def _home(unit: Unit, node: ast.Name) -> int:
    """The scope that binds a name read at `node`; 0 for the module."""
    scope = unit.facts.name_scopes.get(unit.facts.numbers[node], 0)
    return max(owner_of(unit.facts.scopes, scope, node.id), 0)


def _imports_of(unit: Unit, home: int, name: str) -> list[ast.ImportFrom]:
    """The statements of a scope that import `name` from dbos."""
    aliases = [unit.facts.nodes[node] for node in unit.facts.cells.get((home, name), ())]
    statements = [unit.facts.parents[alias] for alias in aliases if isinstance(alias, ast.alias)]
    return [s for s in statements if isinstance(s, ast.ImportFrom) and s.module in _HOMES and not s.level]


def _for_types(unit: Unit, statement: ast.stmt) -> bool:
    """Whether an import is there for the type checker only."""
    parent = unit.facts.parents[statement]
    return isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.unparse(parent.test)


def _still_used(program: Program, unit: Unit, home: int, renamed: set[Span], in_strings: set[Span]) -> bool:
    """Whether the old name is still needed: read elsewhere, in a string, or imported from here by another file."""
    if any(span(node, unit.source) not in renamed and _home(unit, node) == home for node in _handle_names(unit)):
        return True
    texts = (node for node in ast.walk(unit.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    if any(re.search(rf"\b{OLD}\b", str(node.value)) and span(node, unit.source) not in in_strings for node in texts):
        return True
    return home == 0 and any(
        isinstance(op, Imported)
        and op.name == OLD
        and program.values.modules.resolve(other.number, op.module, op.level) == unit.number
        for other in program.units.values()
        for op in other.facts.ops
    )
