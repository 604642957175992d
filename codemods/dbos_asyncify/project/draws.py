"""How many steps a function draws on one path through it, and whether the first waits for something else before."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dbos_asyncify.project import library
from dbos_asyncify.project.callees import called_functions
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.values import (
    Api,
    Atom,
    Bound,
    Coro,
    Ext,
    Foreign,
    Func,
    HandleMethod,
    Obj,
    Partial,
    Role,
    Site,
)

FunctionKey = tuple[int, int]
# FACTS.md, sections 4 and 8: no row, hence no number, for anything of these but
_DRAW = {"Queue": "enqueue", "Debouncer": "debounce", "SQLAlchemyDatasource": "run_tx_step",
         "AsyncSQLAlchemyDatasource": "run_tx_step"}  # fmt: skip
# nor for these of `DBOS`, the last of which are decorators.
_DRAW_NOTHING = frozenset(
    {"register_queue", "retrieve_queue", "delete_queue", "list_queues", "list_application_versions",
     "get_latest_application_version", "set_latest_application_version", "launch", "destroy", "listen_queues",
     "migrate", "reset_system_database", "recover_pending_workflows", "register_instance", "set_authentication",
     "alert_handler", "dbos_class", "default_required_roles", "kafka_consumer", "required_roles", "scheduled",
     "step", "transaction", "workflow"}
)  # fmt: skip
# The asynchronous forms that only call the synchronous one in a thread, which draws the number at any time.
_DRAW_IN_THREAD = frozenset(
    {"create_schedule_async", "list_schedules_async", "get_schedule_async", "delete_schedule_async",
     "apply_schedules_async", "debounce_async"}
)  # fmt: skip
# Entering them takes no time, or those who wait first go on first.
_IN_ORDER = frozenset({"Lock", "Semaphore", "BoundedSemaphore", "TaskGroup", "create_task_group", "timeout"})
_CALLS_FIRST = frozenset({"map", "start_soon"})  # what they call is their first argument
_OWN_CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


class State(NamedTuple):
    """Where a path through a function has come to: `steps` (0, 1, 2 for more) are drawn.

    `late` tells that it waited for something that is no step before it drew the first.
    """

    steps: int = 0
    late: bool = False

    def then(self, after: State) -> State:
        """Both, one after the other."""
        late = self.late if self.steps else self.late or after.late
        return State(min(self.steps + after.steps, 2), late)


States = frozenset[State]
_START = State()
_NOTHING: States = frozenset({_START})
_WAIT: States = frozenset({State(0, late=True)})
_DRAWN: States = frozenset({State(1)})
_DRAWN_LATE: States = frozenset({State(1, late=True)})


def followed(before: States, after: States) -> States:
    """All ways in which one of these can follow one of those."""
    return before if after == _NOTHING else frozenset(one.then(other) for one in before for other in after)


@dataclass(slots=True)
class _Round:
    """One walk through a function and all that it calls; `before` is what the round before has found."""

    before: dict[FunctionKey, States]
    found: dict[FunctionKey, States] = field(default_factory=dict)
    walking: set[FunctionKey] = field(default_factory=set)
    came_back: bool = False


class Draws:
    """The steps that functions and calls draw. What stands in a loop counts as more than one."""

    def __init__(self, values: Values, children: frozenset[FunctionKey] = frozenset()) -> None:
        self.values = values
        self.children = children  # plain functions that count as workflows
        self.known: dict[FunctionKey, States] = {}
        self._round: _Round | None = None  # while functions are being walked through
        self._calls: dict[int, dict[int, list[ast.Call]]] = {}  # by module and function

    def by(self, key: FunctionKey) -> int:
        """How many steps a function draws at most: 0, 1 or 2 for more."""
        return most(self.of(key))

    def of(self, key: FunctionKey) -> States:
        """How the paths through a function can end."""
        if key in self.known:
            return self.known[key]
        if self._round is not None:
            return self._walked(key, self._round)
        found: dict[FunctionKey, States] = {}
        for _ in range(5):  # what calls itself, through others too, draws again
            self._round = _Round(found)
            self._walked(key, self._round)
            is_done = self._round.found == found or not self._round.came_back
            found = self._round.found
            if is_done:
                break
        self._round = None
        self.known.update(found)
        return self.known[key]

    def _walked(self, key: FunctionKey, now: _Round) -> States:
        """As `of`, walking through the function unless this round has come to it before."""
        if key in now.walking:
            now.came_back = True
            return now.before.get(key, _NOTHING)
        if key not in now.found:
            now.walking.add(key)
            now.found[key] = _Walk(self, key).function()
            now.walking.discard(key)
        return now.found[key]

    def without(self, key: FunctionKey, apart: frozenset[int]) -> int:
        """As `by`, but for these calls of the function itself."""
        return most(_Walk(self, key, apart).function())

    def by_itself(self, key: FunctionKey) -> States:
        """As `of`, but for the coroutines that it is given and awaits."""
        return _Walk(self, key, given=False).function()

    def calls_of(self, key: FunctionKey) -> list[ast.Call]:
        """The calls that stand in a function itself."""
        if key[0] not in self._calls:
            facts = self.values.facts[key[0]]
            found = self._calls.setdefault(key[0], {})
            for node, number in facts.numbers.items():
                if isinstance(node, ast.Call):
                    found.setdefault(facts.contexts[number].function, []).append(node)
        return self._calls[key[0]].get(key[1], [])

    def only_results(self, key: FunctionKey, around: frozenset[FunctionKey] = frozenset()) -> bool:
        """Whether all steps that a function draws are those of waiting for workflow handles.

        `around` are the functions on the way to it: one that calls itself draws nothing else by that.
        """
        if key in around:
            return True
        numbers = self.values.facts[key[0]].numbers
        drawing = [call for call in self.calls_of(key) if most(self.of_call(key[0], call))]
        atoms = [atom for call in drawing for atom in self.values.value(key[0], numbers[call.func])]
        return bool(drawing) and all(self._is_result(atom, around | {key}) for atom in atoms)

    def _is_result(self, atom: Atom, around: frozenset[FunctionKey]) -> bool:
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func) and func.role is Role.PLAIN:
            return self.only_results((func.module, func.index), around)
        return isinstance(atom, HandleMethod)

    def of_call(self, module: int, call: ast.Call) -> States:
        """What one call draws: by itself, by what it makes of the functions that it gives to a thread."""
        facts = self.values.facts[module]
        number = facts.numbers.get(call, -1)
        if number < 0:
            return _NOTHING
        callee = self.values.value(module, facts.numbers[call.func])
        thread = thread_of(self.values, module, call)
        if thread is not None:  # in any order with others, which DBA202 is about
            path, handed = thread
            if handed is None or not library.keeps_context(path):
                return _NOTHING  # what runs there knows of no workflow
            return self.of_atoms(self.values.value(module, facts.numbers.get(handed, -1)))
        found: set[State] = set()
        for atom in callee:
            if call.args and calls_its_first([atom]):
                found |= self.of_atoms(self.values.value(module, facts.numbers.get(call.args[0], -1)))
            else:
                found |= self._of_atom(atom, call)
        return frozenset(found) or _NOTHING

    def of_coroutines(self, value: Iterable[Atom]) -> States:
        """What the coroutines among these values draw when they run."""
        found: set[State] = set()
        for atom in value:
            if isinstance(atom, Coro) and (made := call_of(self.values, atom.site)) is not None:
                found |= self.of_call(atom.site.module, made)
        return frozenset(found) or _NOTHING

    def of_atoms(self, atoms: Iterable[Atom]) -> States:
        """What calling one of these draws."""
        found: set[State] = set()
        for atom in atoms:
            found |= self._of_atom(atom)
        return frozenset(found) or _NOTHING

    def _of_atom(self, atom: Atom, call: ast.Call | None = None) -> States:
        match atom:
            case Api(owner, name):
                stem = name.removesuffix("_async")
                drawing = stem not in _DRAW_NOTHING if owner == "DBOS" else stem == _DRAW.get(owner)
                return (_DRAWN_LATE if name in _DRAW_IN_THREAD else _DRAWN) if drawing else _NOTHING
            case HandleMethod(handle, name):  # those of asynchronous handles draw when the answer is there
                return _DRAWN_LATE if handle.is_async else _DRAWN
            case Foreign():
                return _DRAWN
            case Ext("time.sleep"):  # it becomes a wait (DBA110)
                return _WAIT
        found: set[State] = set()
        for func in called_functions(self.values, [atom], call):
            key = (func.module, func.index)
            plain = func.role is Role.PLAIN and key not in self.children
            found |= self.of(key) if plain else _DRAWN
        return frozenset(found) or _NOTHING


def most(states: States) -> int:
    """The highest number of steps among these."""
    return max(state.steps for state in states)


def is_late(states: States) -> bool:
    """Whether the place of a step in the order of all depends on when something else is done."""
    return any(state.steps and state.late for state in states)


def is_out_of_order(states: States) -> bool:
    """Whether what draws these beside others draws one at a time that depends on when something is done."""
    return most(states) > 1 or is_late(states)


def calls_its_first(atoms: Iterable[Atom]) -> bool:
    """Whether one of these calls its first argument, as `map` and `start_soon` do."""
    return any(isinstance(atom, Ext) and library.last_name(atom.path) in _CALLS_FIRST for atom in atoms)


def handed_to_thread(path: str, call: ast.Call) -> ast.expr | None:
    """The function that a call of something such as `asyncio.to_thread` is given."""
    target = next((word.value for word in call.keywords if word.arg in ("target", "func")), None)
    position = int(library.last_name(path) == "run_in_executor")
    return target or (call.args[position] if len(call.args) > position else None)


def thread_of(values: Values, module: int, call: ast.Call) -> tuple[str, ast.expr | None] | None:
    """What takes a function to a thread at a call, and that function: of `start_soon(to_thread.run_sync, f)` too."""
    numbers = values.facts[module].numbers
    paths = [atom.path for atom in values.value(module, numbers[call.func]) if isinstance(atom, Ext)]
    for path in filter(library.into_thread, paths):
        return path, handed_to_thread(path, call)
    if call.args and any(library.last_name(path) == "start_soon" for path in paths):
        for atom in values.value(module, numbers.get(call.args[0], -1)):
            if isinstance(atom, Ext) and library.into_thread(atom.path):
                return atom.path, call.args[1] if len(call.args) > 1 else None
    return None


class _Walk:
    """One walk through a function's statements, along all paths at once."""

    def __init__(
        self, draws: Draws, key: FunctionKey, apart: frozenset[int] = frozenset(), *, given: bool = True
    ) -> None:
        self.draws = draws
        self.given = given
        self.module, self.index = key
        self.facts = draws.values.facts[self.module]
        self.apart = apart
        self.ended: set[State] = set()  # of the paths that have left the function
        self.next: list[set[State]] = []  # of those that go on with the next round of each loop around
        self.left: list[set[State]] = []  # of those that have left it
        self.tried: list[set[State]] = []  # of those that may fail in each `try` around

    def function(self) -> States:
        node = self.facts.functions[self.index].node
        if isinstance(node, ast.Lambda):
            return self.expression(node.body, _NOTHING)
        through = self.block(node.body, _NOTHING)
        return through | self.ended or _NOTHING

    def block(self, body: Iterable[ast.stmt], states: States) -> States:
        for statement in body:
            if not states:
                break  # nobody comes here
            states = self.statement(statement, states)
        return states

    def statement(self, node: ast.stmt, states: States) -> States:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return states
            case ast.Return() | ast.Raise():
                self.ended |= self.parts(node, states)
                return frozenset()
            case ast.Break() | ast.Continue():
                if self.left:
                    (self.left if isinstance(node, ast.Break) else self.next)[-1].update(states)
                return frozenset()
            case ast.If(test, body, orelse):
                states = self.expression(test, states)
                return self.block(body, states) | self.block(orelse, states)
            case ast.Match(subject, cases):
                states = self.expression(subject, states)
                arms = [self.block(case.body, states) for case in cases]
                return states.union(*arms)
            case ast.For(iter=source, body=body, orelse=orelse) | ast.AsyncFor(iter=source, body=body, orelse=orelse):
                states = self.expression(source, states)
                if isinstance(node, ast.AsyncFor):
                    states = followed(states, _WAIT)
                done = self.loop(body, states)
                return self.block(orelse, done) | done
            case ast.While(test, body, orelse):
                done = self.loop(body, self.expression(test, states))
                return self.block(orelse, done) | done
            case ast.With(items, body) | ast.AsyncWith(items, body):
                left: list[States] = []
                for item in items:
                    states = self.expression(item.context_expr, states)
                    if isinstance(node, ast.AsyncWith):
                        states = followed(states, self.enters(item.context_expr))
                        left.append(self.of_method(item.context_expr, "__aexit__"))
                states = self.block(body, states)
                for each in left:
                    states = followed(states, each)
                return states
            case ast.Try():
                return self.attempt(node, states)
        return self.parts(node, states)

    def attempt(self, node: ast.Try, states: States) -> States:
        before, self.ended = self.ended, set()
        self.tried.append(set(states))
        through = self.block(node.body, states)
        caught = frozenset(self.tried.pop())
        handled = [self.block(handler.body, caught) for handler in node.handlers]
        after = self.block(node.orelse, through).union(*handled)
        ended, self.ended = frozenset(self.ended), before
        self.ended |= self.block(node.finalbody, ended)
        return self.block(node.finalbody, after)

    def loop(self, body: Iterable[ast.stmt], states: States) -> States:
        """After none, one or more rounds."""
        body = list(body)
        seen = states
        self.left.append(set())
        for _ in range(3):
            self.next.append(set())
            once = self.block(body, seen)
            seen |= once | self.next.pop()
        return seen | self.left.pop()

    def parts(self, node: ast.AST, states: States) -> States:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                states = self.expression(child, states)
            elif not isinstance(child, _OWN_CODE):
                states = self.parts(child, states)
        return states

    def expression(self, node: ast.expr, states: States) -> States:
        match node:
            case ast.Lambda():
                return states
            case ast.IfExp(test, body, orelse):
                states = self.expression(test, states)
                return self.expression(body, states) | self.expression(orelse, states)
            case ast.BoolOp(values=[first, *rest]):
                states = self.expression(first, states)
                for value in rest:
                    states |= self.expression(value, states)
                return states
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                seen = states
                for _ in range(3):
                    seen |= self.parts(node, seen)
                return seen
            case ast.Await(value):
                states = followed(self.expression(value, states), self.of_given(value))
                return followed(states, _WAIT) if self.is_wait(value) else states
            case ast.Call():
                states = self.parts(node, states)
                if self.facts.numbers.get(node, -1) in self.apart:
                    return states
                states = followed(states, self.draws.of_call(self.module, node))
                for tried in self.tried:
                    tried |= states
                return states
        return self.parts(node, states)

    # what is waited for

    def of_given(self, awaited: ast.expr) -> States:
        """What is drawn by awaiting a coroutine that was made elsewhere: those made here count where they are made."""
        if not self.given or isinstance(awaited, ast.Call):
            return _NOTHING
        values = self.draws.values
        coroutines = [
            atom
            for atom in values.value(self.module, self.facts.numbers.get(awaited, -1))
            if isinstance(atom, Coro) and function_of(values, atom.site) != (self.module, self.index)
        ]
        return self.draws.of_coroutines(coroutines)

    def is_wait(self, awaited: ast.expr) -> bool:
        """Whether an `await` waits for something that is neither a step nor a coroutine of the project."""
        values = self.draws.values
        atoms = values.value(self.module, self.facts.numbers.get(awaited, -1))
        makers = [maker for atom in atoms if isinstance(atom, Coro) for maker in makers_of(values, atom.site)]
        if isinstance(awaited, ast.Call) and not makers:
            makers = list(values.value(self.module, self.facts.numbers[awaited.func]))
            if _is_no_time(awaited) or (makers and all(map(_is_turn, makers))):
                return False
        if isinstance(awaited, ast.Call) and any(isinstance(a, Ext) and library.into_thread(a.path) for a in makers):
            return not most(self.draws.of_call(self.module, awaited))
        if any(isinstance(maker, Api) and not most(self.draws.of_atoms([maker])) for maker in makers):
            return True  # for the database, as in `retrieve_queue_async`
        known = (Api, Func, Bound, HandleMethod, Partial, Foreign)
        if not makers or any(not isinstance(maker, known) and not _waits_for_given(maker) for maker in makers):
            return True
        given = awaited.args if isinstance(awaited, ast.Call) else []
        return any(map(_waits_for_given, makers)) and any(
            isinstance(argument, ast.Call) and self.is_wait(argument) for argument in given
        )

    def enters(self, item: ast.expr) -> States:
        """What entering an asynchronous context manager draws; one that is not of the project is waited for."""
        atoms = self.draws.values.value(self.module, self.facts.numbers.get(item, -1))
        if any(isinstance(atom, Obj) for atom in atoms):
            return self.of_method(item, "__aenter__")
        return _NOTHING if self.is_in_order(item) else _WAIT

    def of_method(self, item: ast.expr, name: str) -> States:
        values = self.draws.values
        owners = [a for a in values.value(self.module, self.facts.numbers.get(item, -1)) if isinstance(a, Obj)]
        return self.draws.of_atoms([method for owner in owners for method in values.attribute(owner, name)])

    def is_in_order(self, item: ast.expr) -> bool:
        """Whether what `async with` enters lets those in first who came first."""
        atoms = self.draws.values.value(self.module, self.facts.numbers.get(item, -1))
        locks = {atom.path for atom in atoms if isinstance(atom, Ext)}
        return bool(locks) and all(
            path.startswith(("asyncio.", "anyio.")) and library.last_name(path).removesuffix("()") in _IN_ORDER
            for path in locks
        )


def _waits_for_given(atom: Atom) -> bool:
    """Whether what is called only waits for the coroutines that it is given."""
    if not isinstance(atom, Ext):
        return False
    name = library.last_name(atom.path)
    if name == "wait" and "()" in atom.path:
        return False  # that of an event, a condition
    return name == "gather" or name in library.TAKES_AWAITABLE


def _is_turn(atom: Atom) -> bool:
    """`acquire` of a lock, which lets those in first who came first."""
    lock, _, name = atom.path.rpartition("().") if isinstance(atom, Ext) else ("", "", "")
    return name == "acquire" and library.last_name(lock) in _IN_ORDER


def _is_no_time(call: ast.Call) -> bool:
    """`asyncio.sleep(0)` only lets the others have their turn."""
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def makers_of(values: Values, site: Site) -> Iterator[Atom]:
    """What is called where a coroutine is made."""
    call = call_of(values, site)
    if call is not None:
        facts = values.facts[site.module]
        yield from values.value(site.module, facts.numbers[call.func])


def call_of(values: Values, site: Site) -> ast.Call | None:
    """The call that makes the coroutine of a site: its own node, or the one that made-up sites stand for."""
    node = site.node
    if node < -(1 << 39):
        node = -(node + 2 + (1 << 40)) // 2
    elif node < 0:
        node = -1 - node
    nodes = values.facts[site.module].nodes
    found = nodes[node] if node < len(nodes) else None
    return found if isinstance(found, ast.Call) else None


def function_of(values: Values, site: Site) -> FunctionKey | None:
    """The function that a coroutine is made in."""
    call = call_of(values, site)
    facts = values.facts[site.module]
    return (site.module, facts.contexts[facts.numbers[call]].function) if call is not None else None
