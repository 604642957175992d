"""Names for new workflows: DBOS tells workflows apart by them, in whatever modules they are defined."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dbos_asyncify.project.draws import is_out_of_order
from dbos_asyncify.project.facts import Facts, Function, Global
from dbos_asyncify.project.program import FunctionKey, Program, Unit
from dbos_asyncify.project.values import Role


def new_name(program: Program, unit: Unit, function: Function) -> str:
    """A nested function's name at module level: its own, unless that has another use there, or for DBOS."""
    name, facts = function.name, unit.facts
    same = [other for other in facts.functions if other.name == name and other.parent >= 0]
    is_free = same[0] is function and (0, name) not in facts.cells and Global(name) not in facts.ops
    if is_free and _workflow_called(program, unit, name) is None and not any(_earlier(program, unit, name)):
        return name
    around = facts.functions[function.parent].name
    name = f"{around}_{name}" + "_" * sum(parent == around for parent in _earlier(program, unit, name))
    while _is_used(facts, name) or _workflow_called(program, unit, name) is not None:
        name += "_"
    return name


def namesake(program: Program, unit: Unit, function: Function) -> str:
    """Where another module has a workflow, or what may become one, with the name of this function; or empty."""
    found = _workflow_called(program, unit, function.name)
    if found is None:
        others = [key for key in _sequences(program, function.name) if key[0] < unit.number]
        found = next((key for key in others if _function(program, key).parent < 0), None)
    if found is None:
        return ""
    return f"{program.units[found[0]].source.path.name}:{_function(program, found).node.lineno}"


def _function(program: Program, key: FunctionKey) -> Function:
    return program.units[key[0]].facts.functions[key[1]]


def _workflow_called(program: Program, unit: Unit, name: str) -> FunctionKey | None:
    """The workflow of another module that is registered under a name."""
    for key, role in program.concurrency.roles.items():
        function = _function(program, key)
        if role is Role.WORKFLOW and key[0] != unit.number and key not in program.concurrency.children:
            at_top = function.name == name and function.parent < 0 and function.cls < 0
            if at_top or name in _given_names(function.node):
                return key
    return None


def _given_names(node: ast.AST) -> Iterator[object]:
    """`@DBOS.workflow(name="...")`."""
    for decorator in getattr(node, "decorator_list", []):
        for word in getattr(decorator, "keywords", []):
            if word.arg == "name" and isinstance(word.value, ast.Constant):
                yield word.value.value


def _sequences(program: Program, name: str) -> list[FunctionKey]:
    """The coroutine functions of this name that may become workflows too."""
    concurrency = program.concurrency
    return [
        key
        for key in sorted(concurrency.workflow_code)
        if _function(program, key).name == name and _function(program, key).cls < 0
        if concurrency.roles.get(key, Role.PLAIN) is Role.PLAIN or key in concurrency.children
        if is_out_of_order(concurrency.draws.of(key))
    ]


def _earlier(program: Program, unit: Unit, name: str) -> Iterator[str]:
    """The sequences that have the first choice of a name, each by the name of the function around it (or empty)."""
    for key in _sequences(program, name):
        parent = _function(program, key).parent
        if key[0] != unit.number and (key[0] < unit.number or parent < 0):
            yield program.units[key[0]].facts.functions[parent].name if parent >= 0 else " "


def _is_used(facts: Facts, name: str) -> bool:
    return any(name in scope.bound for scope in facts.scopes) or Global(name) in facts.ops
