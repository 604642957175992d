"""What a nested function takes from the functions around it, and what it does with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbos_asyncify.project import library
from dbos_asyncify.project.draws import FunctionKey
from dbos_asyncify.project.facts import Facts, Function
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.spans import begin
from dbos_asyncify.project.values import Api, Ext, Func

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Program, Unit

_CHANGES = frozenset(library.ADDS) | library.EXTENDS | {"clear", "pop", "popitem", "popleft", "remove", "reverse",
                                                        "rotate", "setdefault", "sort", "discard"}  # fmt: skip
# They speak of the workflow that calls them: its messages, events, streams, and identity.
_OWN = re.compile(r"(recv|set_event|write_stream|close_stream|patch|deprecate_patch)(_async)?$")
_OWN_PROPERTIES = frozenset(
    f"dbos.DBOS.{name}" for name in ("workflow_id", "parent_workflow_id", "step_id", "step_status")
)


@dataclass(frozen=True, slots=True)
class Free:
    """A variable of the function around, whose scope is `owner`; `first` is where it is read first."""

    name: str
    owner: int
    first: ast.Name


def free_variables(facts: Facts, function: Function) -> list[Free]:
    """What a function reads of the variables of the functions around it, in the order of first use."""
    found: dict[str, Free] = {}
    for node in _names(function.node):
        number = facts.numbers.get(node)
        if number is None:
            continue
        owner = owner_of(facts.scopes, facts.name_scopes.get(number, function.scope), node.id)
        if owner > 0 and not _inside(facts, owner, function.scope):
            found.setdefault(node.id, Free(node.id, owner, node))
    return list(found.values())


def _names(node: ast.AST) -> list[ast.Name]:
    """The names in a function's body, in the order of the text."""
    body: list[ast.AST] = getattr(node, "body", [])
    names = [each for statement in body for each in ast.walk(statement) if isinstance(each, ast.Name)]
    return sorted(names, key=begin)


def _inside(facts: Facts, scope: int, outer: int) -> bool:
    while scope >= 0:
        if scope == outer:
            return True
        scope = facts.scopes[scope].parent
    return False


def assigns_outside(facts: Facts, function: Function) -> str:
    """A variable that a function, or one inside it, declares `nonlocal`; empty if there is none."""
    for scope in facts.scopes:
        if scope.nonlocal_names and _inside(facts, scope.index, function.scope):
            return min(scope.nonlocal_names)
    return ""


def changed_in(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The variables whose values this code changes in place: `xs.append(x)`, `d[k] = v`, `o.a = v`."""
    for each in ast.walk(node):
        if isinstance(each, (ast.Attribute, ast.Subscript)) and not isinstance(each.ctx, ast.Load):
            yield from _root(each)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _CHANGES:
            yield from _root(each.func)


def _root(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    root = node
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    if isinstance(root, ast.Name):
        yield root.id, node


def of_own_workflow(program: Program, key: FunctionKey) -> str:
    """What a function, or what it calls, does that would mean another workflow if it became one itself; or empty."""
    for module, index in sorted(program.concurrency.called_from([key])):
        facts = program.units[module].facts
        for node, number in facts.numbers.items():
            if isinstance(node, ast.Attribute) and facts.contexts[number].function == index:
                for atom in program.values.value(module, number):
                    api = isinstance(atom, Api) and atom.owner == "DBOS" and _OWN.match(atom.name)
                    if api or (isinstance(atom, Ext) and atom.path in _OWN_PROPERTIES):
                        return f"DBOS.{node.attr}"
    return ""


def function_reads(units: Mapping[int, Unit], values: Values) -> dict[FunctionKey, list[tuple[Unit, ast.expr]]]:
    """The names and attributes that can be a function of the project where they are read, by that function."""
    found: dict[FunctionKey, list[tuple[Unit, ast.expr]]] = {}
    for unit in units.values():
        for node, number in unit.facts.numbers.items():
            if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
                functions = {atom for atom in values.value(unit.number, number) if isinstance(atom, Func)}
                for key in {(func.module, func.index) for func in functions}:
                    found.setdefault(key, []).append((unit, node))
    return found
