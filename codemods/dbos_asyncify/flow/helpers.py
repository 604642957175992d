"""Plain functions that stop the event loop or raise on it: which they are, and through what calls they do it."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dbos_asyncify.findings import Place
from dbos_asyncify.project.callees import Implicit, called_functions, name_of
from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Spot, Unit
from dbos_asyncify.project.values import Api, Atom, Bound, Func, Role
from dbos_asyncify.rules.base import Draft, all_rules
from dbos_asyncify.rules.blocking_helper import BlockingHelper
from dbos_asyncify.source import span

Local = Callable[[CallSite], Draft | None]
RAISES = "raises RuntimeError on a running event loop"
STOPS = "stops the event loop"
DECLARED = "as the configuration declares"


@dataclass(frozen=True, slots=True)
class Link:
    """Why a function blocks: what stands in its body at `node`, and the function that this runs (None: it blocks
    itself, with that `effect`)."""

    unit: Unit
    node: ast.AST
    what: str
    runs: FunctionKey | None
    effect: str = ""

    @property
    def place(self) -> str:
        return f"{self.unit.source.path.name}:{getattr(self.node, 'lineno', 0)}"


class Helpers:
    """The plain functions that coroutines reach and that block, each with the link that leads on from it.

    `local` says what the rules find at a call by itself, as if it ran on the loop.
    """

    def __init__(self, program: Program, local: Local) -> None:
        self.program = program
        self.local = local
        self.links: dict[FunctionKey, Link] = {}
        self._told: dict[FunctionKey, tuple[str, tuple[Place, ...]]] = {}
        self._spread(*self._reach())

    def called(self, call: CallSite) -> list[FunctionKey]:
        """The blocking functions that a call runs."""
        return [key for key in self._run_by(call) if key in self.links]

    def implicit(self, spot: Implicit) -> list[FunctionKey]:
        """The blocking functions that run at a place without being called there."""
        return [key for key in self._run_by(spot) if key in self.links]

    def _run_by(self, spot: CallSite | Implicit) -> list[FunctionKey]:
        """The plain functions that run at a place. To call a generator function does not run it yet."""
        calls = isinstance(spot, CallSite)
        atoms = spot.callee if isinstance(spot, CallSite) else spot.functions
        found: dict[FunctionKey, None] = {}
        node = spot.node if isinstance(spot, CallSite) else None
        for func in called_functions(self.program.values, atoms, node):
            function = self.program.function(func)
            if func.role is Role.PLAIN and not function.is_async and not (calls and function.is_generator):
                found[func.module, func.index] = None
        return sorted(found)

    def is_declared(self, call: CallSite) -> bool:
        """Whether the configuration says that a call blocks."""
        return self.program.declaration(call.unit, call.node.func) == "blocking"

    # how it is found

    def _edges(self, key: FunctionKey) -> Iterator[tuple[ast.AST, str, FunctionKey]]:
        """The plain functions that a function's body runs, where, and as what."""
        program = self.program
        for call in program.calls_in(key):
            if program.silenced(call.path, call.span, BlockingHelper.code):
                continue
            for called in self._run_by(call):
                yield call.node, ast.unparse(call.node.func), called
        for _, implicit in program.implicit_calls.get(key, ()):
            for called in self._run_by(implicit):
                yield implicit.node, self.name(called), called

    def _own(self, key: FunctionKey) -> Link | None:
        """What blocks in a function's body by itself."""
        for call in self.program.calls_in(key):
            draft = self.local(call)
            if draft is not None and draft.rule.blocks:
                if not self.program.silenced(call.path, call.span, draft.rule.code):
                    effect = RAISES if RAISES in draft.message else STOPS
                    return Link(call.unit, call.node, ast.unparse(call.node.func), None, effect)
            elif self.is_declared(call) and not self.program.silenced(call.path, call.span, BlockingHelper.code):
                return Link(call.unit, call.node, ast.unparse(call.node.func), None, f"{STOPS} ({DECLARED})")
        for draft in self.attributes(key):
            if not self.program.silenced(draft.call.path, draft.call.span, draft.rule.code):
                return Link(draft.call.unit, draft.call.node, ast.unparse(draft.call.node), None, STOPS)
        for unit, implicit in self.program.implicit_calls.get(key, ()):
            for atom in implicit.functions:
                if blocks_by_itself(self.program, atom):
                    return Link(unit, implicit.node, atom_name(self.program, atom), None, STOPS)
        return None

    def attributes(self, key: FunctionKey) -> list[Draft]:
        """What the rules find at the attributes in a function's body, as if it ran on the loop."""
        checks = [rule.check_attribute for rule in all_rules().values() if rule.blocks]
        found = (check(self.program, site) for site in self.program.attributes_in(key) for check in checks)
        return [draft for draft in found if draft is not None]

    def _reach(self) -> tuple[list[FunctionKey], dict[FunctionKey, list[tuple[FunctionKey, Link]]]]:
        """The functions that block by themselves, of all that coroutines reach; and who runs which, backwards."""
        program = self.program
        pending: deque[FunctionKey] = deque()
        for call in program.calls():
            pending.extend(self._run_by(call))
        for _, implicit in on_loop(program):
            pending.extend(self._run_by(implicit))
        own: list[FunctionKey] = []
        callers: dict[FunctionKey, list[tuple[FunctionKey, Link]]] = {}
        seen = set(pending)
        while pending:
            key = pending.popleft()
            link = self._own(key)
            if link is not None:
                self.links[key] = link
                own.append(key)
            for node, what, called in self._edges(key):
                callers.setdefault(called, []).append((key, Link(program.units[key[0]], node, what, called)))
                if called not in seen:
                    seen.add(called)
                    pending.append(called)
        return own, callers

    def _spread(self, own: list[FunctionKey], callers: dict[FunctionKey, list[tuple[FunctionKey, Link]]]) -> None:
        """Whoever runs what blocks, blocks; breadth first, so that each chain is the shortest."""
        pending = deque(sorted(own))
        while pending:
            key = pending.popleft()
            for caller, link in callers.get(key, ()):
                if caller not in self.links:
                    self.links[caller] = link
                    pending.append(caller)

    # how it is told

    def chain(self, key: FunctionKey) -> list[Link]:
        """The links from a blocking function to what blocks."""
        links = [self.links[key]]
        while (following := links[-1].runs) is not None:
            links.append(self.links[following])
        return links

    def told(self, spot: Spot, key: FunctionKey, what: str) -> tuple[str, tuple[Place, ...]]:
        """The message of a finding at a place that runs a blocking function, and the places that lead to the end."""
        caller = self.program.enclosing(spot.unit, spot.context)
        if key not in self._told:
            self._told[key] = self._tell(key)
        text, places = self._told[key]
        return f"`{caller.name if caller else 'a coroutine'}` {what} {text}", places

    def _tell(self, key: FunctionKey) -> tuple[str, tuple[Place, ...]]:
        links = self.chain(key)
        name = self.name(key)
        text = f"`{name}` ({self.defined(key)})"
        places = []
        for link in links:
            text += f", which calls `{link.what}` ({link.place})"
            places.append(self.program.place(link.unit, link.node, f"`{name}` calls `{link.what}`"))
            name = self.name(link.runs) if link.runs else ""
        return f"{text}: that {links[-1].effect}", tuple(places)

    def name(self, key: FunctionKey) -> str:
        """A function's name; a constructor goes by its class."""
        return name_of(self.program.units[key[0]].facts, self.function(key))

    def function(self, key: FunctionKey) -> Function:
        return self.program.units[key[0]].facts.functions[key[1]]

    def defined(self, key: FunctionKey) -> str:
        unit = self.program.units[key[0]]
        return f"{unit.source.path.name}:{unit.facts.functions[key[1]].node.lineno}"


def on_loop(program: Program) -> Iterator[tuple[Unit, Implicit]]:
    """What runs in coroutines without being called by name, in the order of the files and of their text."""
    found = [
        (unit, implicit)
        for spots in program.implicit_calls.values()
        for unit, implicit in spots
        if program.on_loop(unit, implicit.context) and not implicit.inline
    ]
    return iter(sorted(found, key=lambda each: (each[0].source.path, span(each[1].node, each[0].source))))


def blocks_by_itself(program: Program, atom: Atom) -> bool:
    """Whether to call `atom` blocks, where that is no plain function: a synchronous DBOS call, a step, …"""
    if isinstance(atom, Api):
        member = program.catalogue.member(atom.owner, atom.name)
        return member is not None and not member.is_async and member.async_form is not None
    func = atom.func if isinstance(atom, Bound) else atom
    return isinstance(func, Func) and func.role is not Role.PLAIN and not program.function(func).is_async


def atom_name(program: Program, atom: Atom) -> str:
    if isinstance(atom, Api):
        return f"{atom.owner}.{atom.name}"
    func = atom.func if isinstance(atom, Bound) else atom
    return program.function(func).name if isinstance(func, Func) else "it"
