"""Where a thread's lock is held: an `await` there lets another coroutine wait for it, and so the whole loop."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from dbos_asyncify.project import library
from dbos_asyncify.project.program import Program, Spot
from dbos_asyncify.project.values import Atom, Box, Ext, Func
from dbos_asyncify.source import span

LOCKED = "a thread's lock is held here: another coroutine that wants it would stop the loop for ever"
_TAKES = {f"{path}.{name}": name for path in library.THREAD_LOCKS for name in ("acquire", "release")}


def holds_lock(program: Program, entered: Iterable[Atom]) -> bool:
    """Whether what a `with` enters is a lock, or a `@contextmanager` that yields while it holds one."""
    pending = list(entered)
    seen: set[Atom] = set()
    while pending:
        atom = pending.pop()
        if is_lock(atom):
            return True
        if isinstance(atom, Box) and atom.site in program.values.generators and atom not in seen:
            seen.add(atom)
            pending.extend(_entered_at_yields(program, program.values.generators[atom.site]))
    return False


def is_lock(atom: Atom) -> bool:
    return isinstance(atom, Ext) and atom.path in library.THREAD_LOCKS


def _entered_at_yields(program: Program, maker: Func) -> Iterator[Atom]:
    facts = program.units[maker.module].facts
    for node, number in facts.numbers.items():
        context = facts.contexts[number]
        if isinstance(node, ast.Yield) and context.function == maker.index:
            for entered in context.withs:
                yield from program.values.value(maker.module, entered)


def acquired_before(program: Program, spot: Spot) -> bool:
    """Whether the function that `spot` stands in acquires a lock further up, and does not release it before."""
    held = False
    if not any(name in spot.unit.source.text for name in ("acquire", "enter_context")):
        return False
    for call in sorted(program.calls_in(spot.function_key), key=lambda call: call.span):
        if call.span >= span(spot.node, spot.unit.source):
            break
        for atom in call.callee:
            if isinstance(atom, Ext) and atom.path in _TAKES:
                held = _TAKES[atom.path] == "acquire"
            elif isinstance(atom, Ext) and library.last_name(atom.path) == "enter_context" and call.node.args:
                held = held or any(map(is_lock, program.value(call.unit, call.node.args[0])))
    return held
