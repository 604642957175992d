"""How a file names something that an edit needs, and the import that it takes where the file has none."""

from __future__ import annotations

import ast
from itertools import count

from dbos_asyncify.edits import Import
from dbos_asyncify.project.facts import Facts
from dbos_asyncify.project.program import Program, Spot
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import NONE, Ext


def in_module(program: Program, spot: Spot, module: str, name: str) -> tuple[str, Import | None]:
    """How to say `module.name` at this place; where the file lacks it, with an `import module`."""
    known = _known(program, spot, module, f".{name}") or _known(program, spot, f"{module}.{name}", "")
    if known:
        return known, None
    local = _free(program, spot, module, module)
    return f"{local}.{name}", Import(module, alias="" if local == module else local)


def by_name(program: Program, spot: Spot, module: str, name: str) -> tuple[str, Import | None]:
    """The same; where the file lacks it, with a `from module import name`."""
    path = f"{module}.{name}"
    known = _known(program, spot, path, "") or _known(program, spot, module, f".{name}")
    if known:
        return known, None
    local = _free(program, spot, name, path)
    return local, Import(module, alias="" if local == name else local, name=name)


def _known(program: Program, spot: Spot, path: str, suffix: str) -> str:
    """The name that an import gives to `path` where `spot` stands, and `suffix`; empty if there is none."""
    facts = spot.unit.facts
    scope = _scope(program, spot)
    for home, name in _imported_as(program, spot, path):
        owner = owner_of(facts.scopes, scope, name)
        if home == max(owner, 0) and (owner < 0 or _imported_before(facts, scope, name, spot.node)):
            return name + suffix
    return ""


def _free(program: Program, spot: Spot, local: str, path: str) -> str:
    """A name for a new import of `path` in the module: `local` itself, unless that is something else there."""
    facts = spot.unit.facts
    taken = (0, local) in facts.cells and not _same_import(program, spot, local, path)
    if owner_of(facts.scopes, _scope(program, spot), local) < 0 and not taken:
        return local
    names = (f"_{local}" + "_" * number for number in count())
    return next(name for name in names if all(name not in scope.bound for scope in facts.scopes))


def _scope(program: Program, spot: Spot) -> int:
    function = program.enclosing(spot.unit, spot.context)
    return function.scope if function else 0


def _imported_as(program: Program, spot: Spot, path: str) -> list[tuple[int, str]]:
    """The names that imports give to something, each with its scope.

    A name that is None where the import fails counts: the code at `spot` needs the import anyway.
    """
    unit = spot.unit
    names = []
    for (home, name), definitions in unit.facts.cells.items():
        values = [program.values.value(unit.number, node) for node in definitions]
        nodes = [unit.facts.nodes[node] for node in definitions]
        given = [node for node, value in zip(nodes, values, strict=True) if value != {NONE}]
        if set().union(*values) - {NONE} == {Ext(path)} and all(isinstance(node, ast.alias) for node in given):
            if not any(_for_types(unit.facts, node) for node in given if node is not None):
                names.append((home, name))
    return names


def _imported_before(facts: Facts, scope: int, name: str, node: ast.AST) -> bool:
    """Whether the function's own import of `name` stands above `node`, and always runs."""
    if owner_of(facts.scopes, scope, name) != scope:
        return False
    for definition in facts.cells.get((scope, name), ()):
        alias = facts.nodes[definition]
        statement = facts.parents[alias] if isinstance(alias, ast.alias) else None
        if statement is None or not isinstance(facts.parents[statement], (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        if getattr(statement, "lineno", 0) >= getattr(node, "lineno", 0):
            return False
    return True


def _for_types(facts: Facts, alias: ast.AST) -> bool:
    """Whether an import stands under `if TYPE_CHECKING:`, or anywhere that does not always run."""
    node = facts.parents[facts.parents[alias]]
    return not isinstance(node, (ast.Module, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef))


def _same_import(program: Program, spot: Spot, name: str, path: str) -> bool:
    """Whether the module's `name` is bound to `path` already, so that a second import does no harm."""
    unit = spot.unit
    definitions = unit.facts.cells.get((0, name), ())
    bound = all(isinstance(unit.facts.nodes[node], ast.alias) for node in definitions)
    return bound and all(program.values.value(unit.number, node) == {Ext(path)} for node in definitions)
