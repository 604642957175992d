"""Coroutines that one workflow runs beside each other: where, which steps they draw, and from when to when."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbos_asyncify.project import library
from dbos_asyncify.project.callees import called_functions
from dbos_asyncify.project.concurrency import Concurrency, other_branches
from dbos_asyncify.project.coroutines import Coroutines, contained
from dbos_asyncify.project.draws import FunctionKey, States, call_of, is_out_of_order, most, thread_of
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.spans import FOREVER, Position, ancestors, begin, finish, loops_around, run_until
from dbos_asyncify.project.values import Api, Atom, Coro, Ext, Func, HandleMethod, Result, Role, Site

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Unit


@dataclass(frozen=True, slots=True)
class Branch:
    """A coroutine that is handed over to run beside others.

    `call` makes it, in the function `maker`, for the function `giver`, which hands it over or to a helper that does;
    `callee` is what that calls (what the thread runs, if `in_thread`).
    `is_task` where the function that hands it over goes on, `many` where more than one of it runs at once. It runs from
    `start` to `end`, places in that function.
    """

    maker: FunctionKey
    giver: FunctionKey
    call: ast.Call
    callee: frozenset[Atom]
    states: States
    in_thread: bool
    is_task: bool
    many: bool
    start: Position
    end: Position

    @property
    def draws(self) -> int:
        """How many steps it draws: 0, 1, or 2 for more."""
        return most(self.states)

    @property
    def out_of_order(self) -> bool:
        """Whether the place of its steps among others depends on when something is done."""
        return is_out_of_order(self.states)

    @property
    def is_result(self) -> bool:
        """Whether it waits for an asynchronous workflow handle."""
        return any(isinstance(atom, HandleMethod) and atom.handle.is_async for atom in self.callee)

    def overlaps(self, other: Branch) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Beside:
    """A call, the `taker`, that runs coroutines beside each other: `gather` (its `name`) in the function `function`.

    `handed` are the coroutines that it starts, `joined` the tasks among its arguments, which run already. `others`
    counts the steps that the function draws meanwhile in other ways.
    """

    function: FunctionKey
    taker: ast.Call
    name: str
    handed: tuple[Branch, ...]
    joined: tuple[Branch, ...]
    others: int

    @property
    def branches(self) -> tuple[Branch, ...]:
        return (*self.handed, *self.joined)

    def races(self, branch: Branch) -> bool:
        """Whether others draw steps of the same workflow while this one does.

        What two functions hand to one helper belongs to different workflows, as far as anyone knows.
        """
        beside = [other for other in self.branches if other is not branch and other.giver == branch.giver]
        return branch.draws > 0 and (branch.many or self.others > 0 or any(other.draws for other in beside))


@dataclass(slots=True)
class Branches:
    """All of them in workflow code, by the place of the call that runs them beside each other.

    `racing` are the plain functions that run in a branch which draws steps while others do.
    """

    beside: dict[Site, Beside] = field(default_factory=dict)
    running: dict[FunctionKey, list[Branch]] = field(default_factory=dict)
    racing: frozenset[FunctionKey] = frozenset()

    @classmethod
    def of(
        cls, units: Mapping[int, Unit], values: Values, concurrency: Concurrency, coroutines: Coroutines
    ) -> Branches:
        finder = _Finder(units, values, concurrency, coroutines)
        found = cls()
        found.beside, found.running = finder.all()
        racing = {
            (atom.module, atom.index)
            for beside in found.beside.values()
            for branch in beside.branches
            if beside.races(branch)
            for atom in branch.callee
            if isinstance(atom, Func) and concurrency.roles.get((atom.module, atom.index), Role.PLAIN) is Role.PLAIN
        }
        found.racing = frozenset(concurrency.called_from(racing))
        return found

    def beside_task(self, function: FunctionKey, node: ast.expr) -> bool:
        """Whether a task of this function that draws steps runs when the function comes to `node`."""
        return any(
            branch.is_task and branch.draws and branch.start < begin(node) < branch.end
            for branch in self.running.get(function, ())
        )


@dataclass(slots=True)
class _Finder:
    units: Mapping[int, Unit]
    values: Values
    concurrency: Concurrency
    coroutines: Coroutines

    def all(self) -> tuple[dict[Site, Beside], dict[FunctionKey, list[Branch]]]:
        takers = {place: (name, list(self.coroutines_of(place))) for place, name in self.takers()}
        tasks: dict[Site, list[Site]] = {}
        for place, (_, sites) in takers.items():
            for site, _ in sites if place in self.values.tasks else ():
                tasks.setdefault(site, []).append(place)
        branches: dict[Site, tuple[list[Branch], list[Branch]]] = {}
        running: dict[FunctionKey, list[Branch]] = {}
        for place, (_, sites) in takers.items():
            handed, joined = branches.setdefault(place, ([], []))
            for site, atoms in sites:
                branch = self.branch(place, site, atoms)
                if place not in self.values.tasks and any(self.hands_on(task, place) for task in tasks.get(site, ())):
                    joined.append(branch)
                else:
                    handed.append(branch)
                    running.setdefault(self.function_of(place), []).append(branch)
        found: dict[Site, Beside] = {}
        for place, (handed, joined) in branches.items():
            key = self.function_of(place)
            taker = self.units[place.module].facts.nodes[place.node]
            assert isinstance(taker, ast.Call)
            others = self.others(key, place, handed, running.get(key, []))
            found[place] = Beside(key, taker, takers[place][0], tuple(handed), tuple(joined), others)
        return found, running

    def hands_on(self, task: Site, place: Site) -> bool:
        """Whether the task that is made at `task` can come to `place`: not from one workflow to another."""
        maker = self.function_of(task)
        return maker == self.function_of(place) or self.concurrency.roles.get(maker) is not Role.WORKFLOW

    def function_of(self, place: Site) -> FunctionKey:
        return (place.module, self.units[place.module].facts.contexts[place.node].function)

    def takers(self) -> Iterator[tuple[Site, str]]:
        """The calls in workflow code that run what they are given beside each other."""
        for key in sorted(self.concurrency.workflow_code):
            numbers = self.units[key[0]].facts.numbers
            for call in self.concurrency.draws.calls_of(key):
                callee = self.values.value(key[0], numbers[call.func])
                name = next(filter(None, map(_runs_beside, callee)), "")
                if name:
                    yield Site(key[0], numbers[call]), name

    def coroutines_of(self, place: Site) -> Iterator[tuple[Site, frozenset[Atom]]]:
        """The coroutines that a call is given, each by its site, with what is called to make it."""
        facts = self.units[place.module].facts
        call = facts.nodes[place.node]
        assert isinstance(call, ast.Call)
        callee = self.values.value(place.module, facts.numbers[call.func])
        if any(isinstance(atom, Ext) and library.last_name(atom.path) == "start_soon" for atom in callee):
            yield (
                place,
                self.values.value(place.module, facts.numbers.get(call.args[0], -1)) if call.args else frozenset(),
            )
            return
        given: list[Atom] = []
        for argument in call.args:
            node = argument.value if isinstance(argument, ast.Starred) else argument
            given.extend(self.values.value(place.module, facts.numbers.get(node, -1)))
        for atom in contained(self.values, given):
            made = call_of(self.values, atom.site) if isinstance(atom, (Coro, Result)) else None
            if made is not None and isinstance(atom, (Coro, Result)):
                home = self.units[atom.site.module].facts
                yield atom.site, self.values.value(atom.site.module, home.numbers[made.func])

    def branch(self, place: Site, site: Site, callee: frozenset[Atom]) -> Branch:
        facts = self.units[place.module].facts
        taker = facts.nodes[place.node]
        assert isinstance(taker, ast.Call)
        made = taker if site == place else call_of(self.values, site)
        assert made is not None
        home = self.units[site.module].facts
        maker = (site.module, home.contexts[home.numbers[made]].function)
        states = self.concurrency.draws.of_call(site.module, made)
        thread = thread_of(self.values, site.module, made)
        given = thread[1] if thread is not None else _mapped(callee, made)
        if given is not None:
            callee = self.values.value(site.module, home.numbers.get(given, -1))
        start, end, around = begin(taker), finish(taker), loops_around(facts, taker)
        is_task = place in self.values.tasks
        if is_task:
            uses = [*self.coroutines.itself.get(site, ()), *self.coroutines.inside.get(site, ())]
            here = [node for unit, node in uses if unit.number == place.module]
            start, end, around = run_until(facts, taker, here)
        loops = {*loops_around(home, made), *(loops_around(facts, taker) if maker[0] == place.module else ())}
        many = bool(loops - around) or (thread is None and given is not None)
        giver = maker
        if maker != self.function_of(place) and (calls := list(self.given_by(place, site))):
            giver = self.function_of(place)
            many = many or self.gives_many(place, calls, around)
        if is_task and end == FOREVER:
            many = many or self.is_called_again(self.function_of(place))
        return Branch(maker, giver, made, callee, states, thread is not None, is_task, many, start, end)

    def given_by(self, place: Site, site: Site) -> Iterator[ast.Call]:
        """The calls in the function of `place` that give it a coroutine which another function makes."""
        for unit, node in (*self.coroutines.itself.get(site, ()), *self.coroutines.inside.get(site, ())):
            here = Site(unit.number, unit.facts.numbers[node])
            if isinstance(node, ast.Call) and here != place and self.function_of(here) == self.function_of(place):
                around = [node, *ancestors(unit.facts, node)]
                takers = (each for each in around if isinstance(each, ast.Call) and self.takes(unit, each))
                taker = next(takers, None)
                own = taker is None or unit.facts.numbers[taker] == place.node
                if own and not isinstance(unit.facts.parents.get(node), ast.Await):
                    yield node

    def takes(self, unit: Unit, call: ast.Call) -> bool:
        return any(map(_runs_beside, self.values.value(unit.number, unit.facts.numbers[call.func])))

    def gives_many(self, place: Site, calls: list[ast.Call], around: set[ast.AST]) -> bool:
        """Whether more than one of the coroutines that these calls give can run at once."""
        facts = self.units[place.module].facts
        if any(loops_around(facts, call) - around for call in calls):
            return True
        if any(_is_map(self.values.value(place.module, facts.numbers[call.func])) for call in calls):
            return True
        outer = [call for call in calls if not any(each in calls for each in ancestors(facts, call))]
        return len(outer) > 1

    def is_called_again(self, function: FunctionKey) -> bool:
        """Whether a function of a workflow calls a plain one more than once."""
        if self.concurrency.roles.get(function, Role.PLAIN) is not Role.PLAIN:
            return False
        seen: set[FunctionKey] = set()
        for unit in self.units.values():
            for node, number in unit.facts.numbers.items():
                if isinstance(node, ast.Call) and any(
                    (func.module, func.index) == function
                    for func in called_functions(
                        self.values, self.values.value(unit.number, unit.facts.numbers[node.func])
                    )
                ):
                    caller = self.function_of(Site(unit.number, number))
                    if caller in seen or loops_around(unit.facts, node):
                        return caller in self.concurrency.workflow_code
                    seen.add(caller)
        return False

    def others(self, key: FunctionKey, place: Site, handed: list[Branch], running: Iterable[Branch]) -> int:
        """How many steps the function draws by itself, and in other branches, while these run."""
        facts = self.units[place.module].facts
        calls = {branch.call for branch in running}
        apart = other_branches(facts, place.node)
        taker = facts.nodes[place.node]
        assert isinstance(taker, ast.Call)
        count = sum(
            branch.draws
            for branch in running
            if branch not in handed
            and any(branch.overlaps(mine) for mine in handed)
            and facts.numbers.get(branch.call, -1) not in apart
        )
        for branch in handed:
            if branch.end == finish(taker):
                continue  # nothing else runs before it is done
            for call in self.concurrency.draws.calls_of(key):
                meanwhile = branch.start < begin(call) < branch.end and facts.numbers[call] not in apart
                if meanwhile and call not in calls and not begin(taker) <= begin(call) < finish(taker):
                    count += most(self.concurrency.draws.of_call(key[0], call))
        return count


def _mapped(callee: frozenset[Atom], made: ast.Call) -> ast.expr | None:
    """The function that `map` calls to make coroutines."""
    return made.args[0] if _is_map(callee) and made.args else None


def _is_map(callee: Iterable[Atom]) -> bool:
    return any(isinstance(atom, Ext) and atom.path == "builtins.map" for atom in callee)


def _runs_beside(atom: Atom) -> str:
    """The name of a callable that runs what it is given beside other things."""
    if isinstance(atom, Api):
        return atom.name if atom.name == "asyncio_wait" else ""
    if not isinstance(atom, Ext):
        return ""
    name = library.last_name(atom.path)
    concurrent = name in library.CONCURRENT and atom.path.startswith(("asyncio.", "anyio."))
    return name if concurrent or name in ("gather", "start_soon") else ""
