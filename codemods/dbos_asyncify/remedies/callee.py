"""What a call calls, when that is a function."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set

from dbos_asyncify.findings import Place
from dbos_asyncify.project.callees import called_functions
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Api, Atom, Bound, Ext, Foreign, Func, HandleMethod, Partial, Role
from dbos_asyncify.remedies.placement import placement

_NEEDS_LOOP = frozenset(
    f"asyncio.{name}"
    for name in (
        "get_running_loop",
        "get_event_loop",
        "create_task",
        "ensure_future",
        "current_task",
        "all_tasks",
    )
)
_SETS_CONTEXT = frozenset({"contextvars.ContextVar().set", "contextvars.ContextVar().reset"})


def targets(program: Program, call: CallSite) -> Iterator[Atom]:
    """What is called, through any `functools.partial`."""
    for atom in call.callee:
        if isinstance(atom, Partial):
            yield from program.values.partial_of(atom.site)
        else:
            yield atom


def synchronous_functions(program: Program, call: CallSite, role: Role) -> tuple[list[Func | Foreign], bool]:
    """The synchronous functions of this role that a call can mean, and whether it can mean nothing else."""
    found: list[Func | Foreign] = []
    certain = True
    for atom in targets(program, call):
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func) and func.role is role and not program.function(func).is_async:
            if (func.module, func.index) in program.values.wrapped and placement(program, call).awaited:
                continue  # a decorator may have made a coroutine function of it: the `await` says so
            found.append(func)
        elif isinstance(atom, Foreign) and atom.role is role:
            found.append(atom)
        elif atom is not NONE:
            certain = False
    return found, certain


def makes_coroutine(program: Program, atom: Atom) -> bool:
    """Whether calling this can give nothing but a coroutine."""
    match atom:
        case Api(owner, name):
            member = program.catalogue.member(owner, name)
            return member is not None and member.is_async and not member.is_async_generator
        case HandleMethod(handle):
            return handle.is_async
        case Func() | Bound():
            func = atom.func if isinstance(atom, Bound) else atom
            function = program.function(func)
            wrapped = (func.module, func.index) in program.values.wrapped  # perhaps not what its `def` says
            return function.is_async and not function.is_generator and not wrapped
        case Partial(site):
            inner = [found for found in program.values.partial_of(site) if found is not NONE]
            return bool(inner) and all(makes_coroutine(program, found) for found in inner)
    return False


def loop_use(program: Program, functions: Iterable[Func | Foreign]) -> Place | None:
    """Where one of these functions, or a plain one that it calls, uses the running event loop."""
    places = (place for func in _run_by(program, functions) for place in _calls_of(program, func, _NEEDS_LOOP))
    return next(places, None)


def context_use(program: Program, functions: Iterable[Func | Foreign]) -> Place | None:
    """Where one of these functions, or a plain one that it calls, sets a context variable, or a thread's own."""
    for func in _run_by(program, functions):
        name = program.function(func).name
        found = list(_calls_of(program, func, _SETS_CONTEXT))
        for site in program.attributes_in((func.module, func.index)):
            if isinstance(site.node.ctx, ast.Store) and Ext("threading.local()") in site.owner:
                found.append(program.place(site.unit, site.node, f"`{name}` sets `{ast.unparse(site.node)}`"))
        if found:
            return found[0]
    return None


def _calls_of(program: Program, func: Func, paths: Set[str]) -> Iterator[Place]:
    """Where a function's body calls one of `paths`."""
    for call in program.calls_in((func.module, func.index)):
        if any(isinstance(atom, Ext) and atom.path in paths for atom in call.callee):
            text = f"`{program.function(func).name}` calls `{ast.unparse(call.node.func)}`"
            yield program.place(call.unit, call.node, text)


def _run_by(program: Program, functions: Iterable[Func | Foreign]) -> Iterator[Func]:
    """These functions, and the plain ones that they call."""
    pending = [func for func in functions if isinstance(func, Func)]
    seen = set(pending)
    while pending:
        func = pending.pop()
        yield func
        for call in program.calls_in((func.module, func.index)):
            for called in called_functions(program.values, call.callee, call.node):
                if called not in seen and not program.function(called).is_async:
                    seen.add(called)
                    pending.append(called)
