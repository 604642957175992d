"""The edits that make a blocking call asynchronous: its async form, or a thread."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from dbos_asyncify.edits import (
    AddAwait,
    CallGetter,
    Edit,
    FromThread,
    Import,
    RenameCall,
    ReplaceCallee,
    RunAsStep,
    ToThread,
)
from dbos_asyncify.project.program import AttributeSite, CallSite, Program, Spot
from dbos_asyncify.project.values import Cls, Module, Obj, Partial
from dbos_asyncify.remedies.placement import placement
from dbos_asyncify.remedies.spelling import by_name, in_module
from dbos_asyncify.remedies.updates import LOSES_UPDATE, may_lose_update

OTHER_ORDER = "this runs beside others of its workflow: their steps are numbered in another order than before"


@dataclass(frozen=True, slots=True)
class Remedy:
    """`edits`, or the `reason` why there are none. `in_thread` where the call goes to a thread."""

    edits: tuple[Edit, ...] = ()
    reason: str = ""
    in_thread: bool = False


def async_form(program: Program, call: CallSite, old: str, new: str) -> Remedy:
    """`call` by the name of its async form, awaited. Where the callee has another name here, a thread."""
    func = call.node.func
    if not isinstance(func, ast.Attribute) or func.attr != old or not is_of_dbos(program, call):
        return in_thread(program, call)
    return _awaited(program, call, (RenameCall(call.span, old, new),))


def is_of_dbos(program: Program, call: CallSite) -> bool:
    """Whether a method is called on an object of dbos itself, not as `self.sleep`, which has no `sleep_async`."""
    func = call.node.func
    if not isinstance(func, ast.Attribute) or any(isinstance(atom, Partial) for atom in call.callee):
        return False
    for atom in program.value(call.unit, func.value):
        if isinstance(atom, Module):
            return False
        if isinstance(atom, (Cls, Obj)):
            cls = Cls(atom.module, atom.index)
            if any(program.values.own_attribute(atom, each, func.attr) for each in (cls, *program.bases(cls))):
                return False
    return True


def in_thread(program: Program, call: CallSite) -> Remedy:
    """`call` through `asyncio.to_thread`, awaited."""
    spelling, imports = in_module(program, call, "asyncio", "to_thread")
    remedy = _awaited(program, call, (ToThread(call.span, spelling, imports),))
    return Remedy(remedy.edits, remedy.reason, in_thread=True)


def through_getter(program: Program, attribute: AttributeSite, getter: str) -> Remedy:
    """`attribute` by a call of `getter`, awaited."""
    return _awaited(program, attribute, (CallGetter(attribute.span, attribute.node.attr, getter),))


def instead(program: Program, call: CallSite, spelling: str, imports: Import | None) -> Remedy:
    """The coroutine function that `spelling` names with the arguments of `call`, awaited."""
    return _awaited(program, call, (ReplaceCallee(call.span, spelling, imports),))


def as_step(program: Program, call: CallSite) -> Remedy:
    """`call` as a step of its own, awaited."""
    dbos, imports = by_name(program, call, "dbos", "DBOS")
    return _awaited(program, call, (RunAsStep(call.span, f"{dbos}.run_step_async", imports),))


def risk_of(program: Program, call: Spot, *, in_thread: bool) -> str:
    """What awaiting the call may change; empty where that is nothing.

    Where it runs beside others of its workflow, its steps may be numbered in another order: a thread draws their
    numbers at any time, an asynchronous form only changes the order of several (FACTS.md 0.3, 0.5, 0.6). An update of
    something shared could be lost too.
    """
    if may_lose_update(program, call):
        return LOSES_UPDATE
    concurrency = program.concurrency
    if concurrency.runs_beside(*call.function_key):
        if program.catalogue.version < (2, 10):
            return "before dbos 2.10 asynchronous calls that run beside each other fail, or are not recorded"
        if in_thread:
            return "this runs beside others of its workflow: a step in a thread gets its number at any time"
    return OTHER_ORDER if concurrency.interleaves(*call.function_key) else ""


def awaited(program: Program, call: Spot) -> Remedy:
    """`call` as it is, awaited: what it calls has become asynchronous."""
    return _awaited(program, call, ())


def out_of_thread(program: Program, call: CallSite, *, dropped: bool) -> Remedy:
    """`asyncio.to_thread(f, ...)` as `f(...)`; awaited here where its result is `dropped`, else where it is now."""
    edits = (FromThread(call.span),)
    return _awaited(program, call, edits) if dropped else Remedy(edits)


def _awaited(program: Program, call: Spot, edits: tuple[Edit, ...]) -> Remedy:
    place = placement(program, call)
    if place.obstacle:
        return Remedy(reason=place.obstacle)
    if place.awaited:
        return Remedy(edits)
    return Remedy((*edits, AddAwait(call.span), *place.brackets))
