"""Which coroutines share one workflow's history and run beside each other."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbos_asyncify.project import facts as f
from dbos_asyncify.project.callees import awaited_methods, called_functions
from dbos_asyncify.project.draws import Draws, FunctionKey
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.values import Func, Obj, Role


@dataclass(frozen=True, slots=True)
class Concurrency:
    """What the calls of a program say about that.

    `workflow_code`: async workflows and the plain functions that they call; `mixed`: those of the latter that may run
    outside a workflow too, called by other code. `concurrent`: the plain coroutines that
    workflow code hands to `gather`, `create_task` and the like, the functions that make such tasks and go on beside
    them, and what all these call in turn. `gathered`: those of them that are handed over, and what they call.
    `several`: those of `concurrent` that draw more than one step, and what they call. `roles`: the roles of all
    functions that have one, the `children` among them. `draws`: how many steps a function draws. `calls`: the
    plain functions that each calls.
    """

    workflow_code: frozenset[FunctionKey]
    mixed: frozenset[FunctionKey]
    concurrent: frozenset[FunctionKey]
    gathered: frozenset[FunctionKey]
    several: frozenset[FunctionKey]
    roles: Mapping[FunctionKey, Role]
    draws: Draws
    calls: Mapping[FunctionKey, set[FunctionKey]]
    children: frozenset[FunctionKey] = frozenset()

    def runs_beside(self, module: int, function: int) -> bool:
        """Whether this function runs beside others of its workflow."""
        return (module, function) in self.concurrent

    def interleaves(self, module: int, function: int) -> bool:
        """Whether it does, and draws more than one step: how it waits decides about the order then."""
        return (module, function) in self.concurrent and (module, function) in self.several

    @classmethod
    def of(cls, values: Values, children: frozenset[FunctionKey] = frozenset()) -> Concurrency:
        """`children` are plain coroutine functions that count as workflows."""
        roles, calls = _calls(values, children)
        workflows = {
            key
            for key, role in roles.items()
            if role is Role.WORKFLOW and values.facts[key[0]].functions[key[1]].is_async
        }
        workflow_code = _closure(workflows, calls)
        gathered: set[FunctionKey] = set()
        for site, functions in values.concurrent.items():
            caller = (site.module, values.facts[site.module].contexts[site.node].function)
            plain = {function for function in functions if roles.get(function, Role.PLAIN) is Role.PLAIN}
            if caller in workflow_code:
                gathered |= plain
        draws = Draws(values, children)
        makers = {key: apart for key, apart in _makers(values).items() if key in workflow_code}
        beside = {key: _called_by(values, key, apart, roles) for key, apart in makers.items()}
        whole = _closure(gathered.union(*beside.values()), calls)
        concurrent = whole | makers.keys()  # a maker goes on while its tasks run, but for what is apart from them
        several = _closure({key for key in whole if draws.by(key) > 1}, calls)
        for key in makers.keys() - whole:
            if draws.without(key, makers[key]) > 1:
                several |= _closure(beside[key], calls) | {key}
        outside = [called for caller, functions in calls.items() if caller not in workflow_code for called in functions]
        mixed = workflow_code & _closure([*outside, *(values.escaped - workflows)], calls)
        return cls(
            workflow_code=frozenset(workflow_code),
            mixed=frozenset(mixed),
            concurrent=frozenset(concurrent),
            gathered=frozenset(_closure(gathered, calls)),
            several=frozenset(several),
            roles=roles,
            draws=draws,
            calls=calls,
            children=children,
        )

    def called_from(self, functions: Iterable[FunctionKey]) -> set[FunctionKey]:
        """These functions and the plain functions that they call, through however many others."""
        return _closure(functions, self.calls)


def _calls(
    values: Values, children: frozenset[FunctionKey]
) -> tuple[dict[FunctionKey, Role], dict[FunctionKey, set[FunctionKey]]]:
    """The role of each function, and which plain functions each function calls."""
    roles: dict[FunctionKey, Role] = dict.fromkeys(children, Role.WORKFLOW)
    calls: dict[FunctionKey, set[FunctionKey]] = {}
    for module, facts in values.facts.items():
        for node, number in facts.numbers.items():
            for name in awaited_methods(facts.parents.get(node), node):
                owners = [atom for atom in values.value(module, number) if isinstance(atom, Obj)]
                methods = [method for owner in owners for method in values.attribute(owner, name)]
                for func in called_functions(values, methods):
                    calls.setdefault((module, facts.contexts[number].function), set()).add((func.module, func.index))
        for number, op in enumerate(facts.ops):
            if isinstance(op, (f.FunctionRef, f.Call)):
                for atom in values.value(module, number):
                    if isinstance(atom, Func) and atom.role is not Role.PLAIN:
                        roles[atom.module, atom.index] = atom.role
            if isinstance(op, f.Call):
                caller = (module, facts.contexts[number].function)
                for func in called_functions(values, values.value(module, op.func), _written(facts, number)):
                    if func.role is Role.PLAIN and (func.module, func.index) not in children:
                        calls.setdefault(caller, set()).add((func.module, func.index))
    return roles, calls


def _written(facts: f.Facts, number: int) -> ast.Call | None:
    """The call at a node, if it stands in the code."""
    node = facts.nodes[number]
    return node if isinstance(node, ast.Call) else None


def _makers(values: Values) -> dict[FunctionKey, frozenset[int]]:
    """The functions that make tasks and go on while these run, each with its calls that are not beside them.

    Those are the calls that become the tasks, and what stands in the other branch of an `if`.
    """
    handed: dict[FunctionKey, set[int]] = {}
    branches: dict[FunctionKey, list[set[int]]] = {}
    for site in values.tasks:
        facts = values.facts[site.module]
        maker = (site.module, facts.contexts[site.node].function)
        task = facts.nodes[site.node]
        arguments = task.args if isinstance(task, ast.Call) else []
        handed.setdefault(maker, set()).update(facts.numbers[arg] for arg in arguments if isinstance(arg, ast.Call))
        branches.setdefault(maker, []).append(other_branches(facts, site.node))
    return {maker: frozenset(handed[maker] | set.intersection(*apart)) for maker, apart in branches.items()}


def other_branches(facts: f.Facts, number: int) -> set[int]:
    """What does not run where this node does: the other branches of the `if`s around it, unless a loop comes back."""
    found: set[int] = set()
    node = facts.nodes[number]
    while node is not None and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        parent = facts.parents.get(node)
        if isinstance(parent, (ast.For, ast.AsyncFor, ast.While)):
            found.clear()
        if isinstance(parent, ast.If) and node is not parent.test:
            others = parent.orelse if node in parent.body else parent.body
            found |= {facts.numbers[each] for other in others for each in ast.walk(other) if each in facts.numbers}
        node = parent
    return found


def _called_by(
    values: Values, key: FunctionKey, without: frozenset[int], roles: Mapping[FunctionKey, Role]
) -> set[FunctionKey]:
    """The plain functions that a function calls in other places than `without`."""
    facts = values.facts[key[0]]
    found = {
        (func.module, func.index)
        for number, op in enumerate(facts.ops)
        if isinstance(op, f.Call) and facts.contexts[number].function == key[1] and number not in without
        for func in called_functions(values, values.value(key[0], op.func), _written(facts, number))
    }
    return {called for called in found if roles.get(called, Role.PLAIN) is Role.PLAIN}


def _closure(start: Iterable[FunctionKey], calls: Mapping[FunctionKey, set[FunctionKey]]) -> set[FunctionKey]:
    found = set(start)
    pending = list(found)
    while pending:
        for called in calls.get(pending.pop(), ()):
            if called not in found:
                found.add(called)
                pending.append(called)
    return found
