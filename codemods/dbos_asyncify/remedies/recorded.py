"""`f(x)` as a step of its own: whether what a step records is all that comes of it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from dbos_asyncify.findings import Place
from dbos_asyncify.project import library
from dbos_asyncify.project.callees import called_functions
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Spot
from dbos_asyncify.project.values import Atom, Bound, Box, Cls, Coro, Ext, Func, Handle, Inst, Role, Stream
from dbos_asyncify.remedies.callee import context_use, loop_use
from dbos_asyncify.remedies.updates import is_shared

_CHANGES = (
    frozenset(library.ADDS)
    | library.EXTENDS
    | library.SHUFFLES
    | {"clear", "discard", "pop", "popitem", "popleft", "remove", "reverse", "rotate", "sort", "__setitem__"}
)


def not_recordable(program: Program, keys: Iterable[FunctionKey]) -> tuple[str, tuple[Place, ...]]:
    """Why these plain functions cannot simply be run as a step, and where; empty if they can."""
    functions = [Func(*key) for key in keys]
    names = {func: f"`{program.function(func).name}`" for func in functions}
    for func in functions:
        function = program.function(func)
        if function.is_generator:
            return f"{names[func]} is a generator, which no step can record: make it give back a list", ()
        if program.concurrency.draws.by((func.module, func.index)):
            return f"{names[func]} draws steps itself, which a step cannot: make the value in a step of its own", ()
        given = program.values.returned(func.module, func.index)
        if any(_cannot_be_recorded(program, atom) for atom in given):
            return f"what {names[func]} gives back cannot be recorded: make the value in a step of its own", ()
    place = next(_changes(program, functions), None)
    if place is not None:
        return "a step records what a function gives back, not what it changes: hand it the value", (place,)
    place = loop_use(program, functions)
    if place is not None:
        return "it uses the running event loop, which a thread does not have: make it a coroutine function", (place,)
    place = context_use(program, functions)
    if place is not None:
        return "it sets a variable of its context or thread, lost in another thread: hand it the value", (place,)
    return "", ()


def _cannot_be_recorded(program: Program, atom: Atom) -> bool:
    """Whether something lives in this process only."""
    if isinstance(atom, Func):  # of a module it is recorded by its name
        return program.function(atom).parent >= 0 or isinstance(program.function(atom).node, ast.Lambda)
    if isinstance(atom, Box):
        made = atom.site in program.values.generators
        return made or any(isinstance(held, (Coro, Handle)) for held in program.values.contents(atom.site))
    is_lock = isinstance(atom, Ext) and atom.path in library.THREAD_LOCKS
    return is_lock or isinstance(atom, (Coro, Handle, Stream, Inst))


def holds_live(program: Program, call: CallSite) -> bool:
    """Whether an argument is, or holds, something that lives in this process only: what is chosen of it is that."""
    arguments = [*call.node.args, *(word.value for word in call.node.keywords)]
    return any(_cannot_be_recorded(program, atom) for node in arguments for atom in program.value(call.unit, node))


def _changes(program: Program, functions: Iterable[Func]) -> Iterator[Place]:
    """Where these functions, or plain ones that they call, change an argument, `self` or a variable of the module."""
    pending = list(functions)
    seen = set(pending)
    while pending:
        func = pending.pop()
        yield from _own_changes(program, func)
        for call in program.calls_in((func.module, func.index)):
            direct = [atom for atom in call.callee if not isinstance(atom, Cls)]  # it only fills a new object
            for called in called_functions(program.values, direct):
                if called not in seen and called.role is Role.PLAIN and not program.function(called).is_async:
                    seen.add(called)
                    pending.append(called)


def _own_changes(program: Program, func: Func) -> Iterator[Place]:
    unit, function = program.units[func.module], program.function(func)
    name = f"`{function.name}`"
    scope = unit.facts.scopes[function.scope]
    outer = scope.global_names | scope.nonlocal_names
    for node, number in unit.facts.numbers.items():
        context = unit.facts.contexts[number]
        if context.function != func.index or not isinstance(node, ast.expr):
            continue
        spot = Spot(unit, node, number, context)
        stored = isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))
        if isinstance(node, ast.Name) and stored and node.id in outer:
            yield program.place(unit, node, f"{name} sets `{node.id}`")
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and stored and is_shared(program, spot, node):
            yield program.place(unit, node, f"{name} sets `{ast.unparse(node)}`")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
            changed = node.args[0] if node.func.attr in library.SHUFFLES and node.args else node.func.value
            whole = ast.Attribute(changed, node.func.attr, ast.Load())
            module = any(isinstance(atom, (Ext, Bound)) for atom in program.value(unit, node.func))
            if (not module or changed is not node.func.value) and is_shared(program, spot, whole):
                yield program.place(unit, node, f"{name} changes `{ast.unparse(changed)}`")
