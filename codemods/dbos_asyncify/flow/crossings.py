"""Where coroutines run blocking helpers: what to say there, and the fix: an `await`, a thread, or a person."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from dbos_asyncify.flow.declared import blocking_advice
from dbos_asyncify.flow.helpers import DECLARED, RAISES, STOPS, Helpers, atom_name, blocks_by_itself
from dbos_asyncify.project.callees import Implicit, called_functions
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Spot, Unit
from dbos_asyncify.project.values import NONE, UNKNOWN, Atom, Bound, Cls, Coro, Func, Obj, Partial, Stream
from dbos_asyncify.remedies.callee import context_use, loop_use, makes_coroutine
from dbos_asyncify.remedies.placement import placement
from dbos_asyncify.remedies.remedy import awaited, in_thread, risk_of
from dbos_asyncify.remedies.updates import LOSES_UPDATE, may_lose_update
from dbos_asyncify.rules.awaited_sync_call import AwaitedSyncCall
from dbos_asyncify.rules.base import Draft
from dbos_asyncify.rules.blocking_helper import BlockingHelper


@dataclass(frozen=True, slots=True)
class Crossings:
    """The places where code on the loop runs a blocking helper; `program` says which helpers are promoted."""

    program: Program
    helpers: Helpers

    def draft(self, call: CallSite) -> Draft | None:
        """The finding at a call of a blocking helper."""
        keys, declared = self.helpers.called(call), self.helpers.is_declared(call)
        if not keys and not declared:
            return None
        place = placement(self.program, call)
        if place.awaited and any(key in self.program.values.wrapped for key in keys):
            return None  # a decorator may have made a coroutine function of it: the `await` says so
        if place.awaited and any(makes_coroutine(self.program, atom) for atom in call.callee):
            return None  # of both kinds: the code has made sure which it is
        if keys:
            message, chain = self.helpers.told(call, keys[0], "calls")
        else:
            message, chain = f"`{ast.unparse(call.node.func)}` {STOPS}, {DECLARED}", ()
        base = Draft(BlockingHelper, call, message, chain=chain)
        draft = self._promoted(base, call) or self._in_thread(base, call, keys, declared=declared)
        if place.awaited:
            return self._awaited(draft, call, concurrently=place.concurrently)
        return draft

    def _promoted(self, base: Draft, call: CallSite) -> Draft | None:
        """The call, awaited: all that it can call becomes a coroutine function."""
        functions = sync_functions(call.callee)
        keys = frozenset((func.module, func.index) for func in functions or ())
        if not keys or not keys <= self.program.promoted:
            return None
        remedy = awaited(self.program, call)
        caution = risk_of(self.program, call, in_thread=False)
        return replace(base, edits=remedy.edits, reason=remedy.reason, caution=caution, promotes=keys)

    def _in_thread(self, base: Draft, call: CallSite, keys: list[FunctionKey], *, declared: bool) -> Draft:
        """The call in a thread, where that helps."""
        program = self.program
        functions = list(called_functions(program.values, call.callee, call.node))
        certain = all(isinstance(atom, (Func, Bound, Cls, Obj, Partial)) or atom is NONE for atom in call.callee)
        if not certain and not declared:
            reason = "what is called here can also be something that the tool cannot follow"
            return replace(base, reason=reason + blocking_advice(program, call.unit, call.node.func))
        if any(program.function(func).is_async for func in functions):
            return replace(
                base, reason="what is called here can also be a coroutine function: call each in its own way"
            )
        place = loop_use(program, functions)
        if place is not None:
            reason = "it uses the running event loop, which a thread does not have: make it a coroutine function"
            return replace(base, reason=reason, chain=(*base.chain, place))
        place = context_use(program, functions)
        if place is not None:
            reason = "it sets a variable of its context or thread, lost in another thread: make it a coroutine function"
            return replace(base, reason=reason, chain=(*base.chain, place))
        if self._gives_what_runs_later(keys):
            reason = "what it gives back blocks later, on the event loop, when it is iterated: make it give back a list"
            return replace(base, reason=reason)
        if program.concurrency.runs_beside(*call.function_key) and any(map(program.concurrency.draws.by, keys)):
            reason = (
                "this coroutine runs beside others of its workflow; in a thread the order of its steps would be "
                "left to chance: make the helper a coroutine function, or each sequence a child workflow"
            )
            return replace(base, reason=reason)
        remedy = in_thread(program, call)
        caution = base.caution if keys else risk_of(program, call, in_thread=True)
        if may_lose_update(program, call) or self._loses_update(keys):
            caution = LOSES_UPDATE
        return replace(base, edits=remedy.edits, reason=remedy.reason, caution=caution)

    def _loses_update(self, keys: list[FunctionKey]) -> bool:
        """Whether these functions, or what they run, read something shared, block, and write it."""
        return any(may_lose_update(self.program, call) for call in self._blocking_calls(keys))

    def _gives_what_runs_later(self, keys: list[FunctionKey]) -> bool:
        """Whether these functions may give back a stream, a generator expression or a `map` that blocks."""
        program = self.program
        if any(
            isinstance(atom, Stream) and not atom.is_async for key in keys for atom in program.values.returned(*key)
        ):
            return True
        if any(_is_kept(call.unit, call.context.generator) for call in self._blocking_calls(keys)):
            return True
        return any(
            _is_kept(unit, unit.facts.numbers[spot.node])
            for key in keys
            for unit, spot in program.implicit_calls.get(key, ())
            if isinstance(spot.node, ast.Call) and spot.how in ("`map()`", "`filter()`") and self.helpers.implicit(spot)
        )

    def _blocking_calls(self, keys: list[FunctionKey]) -> Iterator[CallSite]:
        """What blocks in these functions and in those that they run."""
        pending = list(keys)
        seen = set(pending)
        while pending:
            for call in self.program.calls_in(pending.pop()):
                runs = self.helpers.called(call)
                own = None if runs else self.helpers.local(call)
                if runs or (own is not None and own.rule.blocks):
                    yield call
                pending.extend(key for key in runs if key not in seen)
                seen.update(runs)

    def _awaited(self, draft: Draft, call: CallSite, *, concurrently: bool) -> Draft:
        """A call that somebody awaits: the helper may give something to await, or nothing that could be."""
        given = self.program.value(call.unit, call.node)
        if any(isinstance(atom, Coro) or atom is UNKNOWN for atom in given) or not given:
            reason = "the helper itself is synchronous, and gives something to await: make it a coroutine function"
            return replace(draft, edits=(), reason=reason, promotes=frozenset())
        return AwaitedSyncCall.instead_of(self.program, draft, concurrently=concurrently)

    def implicit(self, unit: Unit, spot: Implicit) -> Draft | None:
        """The finding where a blocking helper, or a step, runs on the loop without being called by name."""
        place = Spot(unit, spot.node, unit.facts.numbers[spot.node], spot.context)
        keys = self.helpers.implicit(spot)
        reason = f"{spot.how} cannot await: call it by name, in a loop or before, and await that"
        if keys:
            message, chain = self.helpers.told(place, keys[0], f"runs, through {spot.how},")
            function = self.helpers.function(keys[0])
            if function.is_generator:
                reason = "a generator runs where it is iterated: make it an asynchronous one, or collect it in a thread"
                if "contextlib.contextmanager" in self.program.values.decorator_names(keys[0][0], function):
                    reason = "a context manager cannot be entered in a thread: make it an @asynccontextmanager"
        else:
            atom = next((atom for atom in spot.functions if blocks_by_itself(self.program, atom)), None)
            if atom is None:
                return None
            effect = STOPS if isinstance(atom, (Func, Bound)) else RAISES
            message = f"`{atom_name(self.program, atom)}`, called by {spot.how} on the event loop, {effect}"
            chain = ()
        return Draft(BlockingHelper, place, message, reason=reason, chain=chain)


def _is_kept(unit: Unit, number: int) -> bool:
    """Whether a generator expression, or a `map`, is given back or kept, so that it runs later."""
    node = unit.facts.nodes[number] if number >= 0 else None
    parent = unit.facts.parents.get(node) if node is not None else None
    return isinstance(parent, (ast.Return, ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.IfExp, ast.BoolOp, ast.Tuple))


def sync_functions(callee: Iterable[Atom]) -> list[Func] | None:
    """The functions that a call means by their own names; None where it can mean anything else."""
    found = []
    for atom in callee:
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func):
            found.append(func)
        elif func is not NONE:
            return None
    return found
