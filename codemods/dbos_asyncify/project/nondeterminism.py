"""What gives another value when a workflow is recovered, and the plain functions that give it on."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbos_asyncify.findings import Place
from dbos_asyncify.project import library
from dbos_asyncify.project.callees import called_functions, name_of
from dbos_asyncify.project.factories import factories
from dbos_asyncify.project.logged import only_logged
from dbos_asyncify.project.values import NONE, Atom, Cls, Ext, Func, Role

if TYPE_CHECKING:
    from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit

CODE = "DBA207"  # what a comment silences counts for no caller


@dataclass(frozen=True, slots=True)
class Source:
    """What a call of a clock or of chance calls; `certain` if it can be nothing else.

    `own_clock` is one whose readings say nothing in another process; `shuffles` says that it changes its argument.
    `fills` tells the field of a new object that it makes the value of.
    """

    is_clock: bool
    own_clock: bool
    shuffles: bool
    certain: bool
    fills: str = ""


def source_of(program: Program, call: CallSite) -> Source | None:
    """The clock or the chance that a call calls, or has a thread call."""
    func, given = called_by(program, call)
    atoms = [atom for atom in program.value(call.unit, func) if atom is not NONE]
    if func is call.node.func and (filled := _filled(program, call, atoms)) is not None:
        return filled
    paths = [path for atom in atoms if (path := _path(program, call.unit, func, atom, given)) is not None]
    if not paths:
        return None
    return Source(
        is_clock=not any(map(library.is_chance, paths)),
        own_clock=any(path in library.OWN_CLOCKS for path in paths),
        shuffles=any(library.last_name(path) in library.SHUFFLES for path in paths),
        certain=len(paths) == len(atoms),
    )


def _filled(program: Program, call: CallSite, atoms: list[Atom]) -> Source | None:
    """The clock or the chance that a constructor calls for a field which it is not given."""
    for cls in (atom for atom in atoms if isinstance(atom, Cls)):
        for field, atom in factories(program.values, cls, call.node):
            path = atom.path if isinstance(atom, Ext) else ""
            if path in library.CLOCKS or path in library.CLOCKS_WITHOUT or library.is_chance(path):
                return Source(
                    is_clock=not library.is_chance(path),
                    own_clock=path in library.OWN_CLOCKS,
                    shuffles=False,
                    certain=len(atoms) == 1,
                    fills=f"`{field}` with `{path}`",
                )
    return None


def called_by(program: Program, call: CallSite) -> tuple[ast.expr, int]:
    """What a call runs, and with how many arguments by position: in a thread, what that is given."""
    arguments = call.node.args
    if arguments and any(isinstance(atom, Ext) and atom.path in library.THREAD for atom in call.callee):
        return arguments[0], len(arguments) - 1
    return call.node.func, len(arguments)


def _path(program: Program, unit: Unit, func: ast.expr, atom: Atom, given: int) -> str | None:
    path = atom.path if isinstance(atom, Ext) else ""
    if not path and isinstance(func, ast.Attribute):  # `numpy.random.random`: the analysis takes it for a recursion
        owners = program.value(unit, func.value)
        path = "numpy.random.random" if owners == {Ext("numpy.random")} and func.attr == "random" else ""
    told = given >= library.CLOCKS_WITHOUT.get(path, 0)
    is_clock = path in library.CLOCKS or (path in library.CLOCKS_WITHOUT and not told)
    return path if is_clock or library.is_chance(path) else None


@dataclass(frozen=True, slots=True)
class Link:
    """What in a function's body is not deterministic: the call, and the function that this runs (None: it is a
    clock, or chance)."""

    call: CallSite
    runs: FunctionKey | None
    is_clock: bool = False


class Nondeterminism:
    """The plain synchronous functions in workflow code that are not deterministic, each with the shortest way there."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.links: dict[FunctionKey, Link] = {}
        callers: dict[FunctionKey, list[tuple[FunctionKey, CallSite]]] = {}
        pending: deque[FunctionKey] = deque()
        for key in sorted(program.concurrency.workflow_code):
            if program.units[key[0]].facts.functions[key[1]].is_async:
                continue
            for call in program.calls_in(key):
                if program.silenced(call.path, call.span, CODE):
                    continue
                source = source_of(program, call)
                if source is not None and key not in self.links and not _is_shown(program, call, source):
                    self.links[key] = Link(call, None, source.is_clock)
                    pending.append(key)
                for called in self.run_by(call):
                    callers.setdefault(called, []).append((key, call))
        while pending:
            runs = pending.popleft()
            for key, call in callers.get(runs, ()):
                if key not in self.links:
                    self.links[key] = Link(call, runs)
                    pending.append(key)

    def run_by(self, call: CallSite) -> list[FunctionKey]:
        """The plain synchronous functions that a call runs, in a thread or by itself."""
        func, _ = called_by(self.program, call)
        written = call.node if func is call.node.func else None
        called = called_functions(self.program.values, self.program.value(call.unit, func), written)
        found = (each for each in called if each.role is Role.PLAIN)
        return sorted({(func.module, func.index) for func in found if not self.program.function(func).is_async})

    def chain(self, key: FunctionKey) -> Iterator[Link]:
        """The links from a function to the clock or the chance."""
        following: FunctionKey | None = key
        while following is not None:
            yield self.links[following]
            following = self.links[following].runs

    def told(self, key: FunctionKey) -> tuple[str, tuple[Place, ...]]:
        """A function with what it calls, in words, and the places of those calls."""
        program = self.program
        function = program.function(Func(*key))
        name = self._name(key)
        text = f"`{name}` ({program.units[key[0]].source.path.name}:{function.node.lineno})"
        places: list[Place] = []
        for link in self.chain(key):
            call, what = link.call, ast.unparse(link.call.node.func)
            text += f", which calls `{what}` ({call.path.name}:{call.node.lineno})"
            places.append(program.place(call.unit, call.node, f"`{name}` calls `{what}`"))
            name = self._name(link.runs) if link.runs else ""
        return text, tuple(places)

    def _name(self, key: FunctionKey) -> str:
        return name_of(self.program.units[key[0]].facts, self.program.function(Func(*key)))


def _is_shown(program: Program, call: CallSite, source: Source) -> bool:
    """Whether it is a clock whose time is only logged."""
    return source.is_clock and only_logged(program, call.unit, call.node)
