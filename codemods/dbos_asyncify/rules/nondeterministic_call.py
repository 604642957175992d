"""DBA207: a workflow asks the clock, or leaves something to chance."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.logged import only_logged
from dbos_asyncify.project.nondeterminism import CODE, Source, called_by, source_of
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit
from dbos_asyncify.project.values import NONE, Bound, Cls, Func
from dbos_asyncify.remedies.placement import placement
from dbos_asyncify.remedies.recorded import holds_live, not_recordable
from dbos_asyncify.remedies.remedy import as_step
from dbos_asyncify.rules.base import Draft, Effect, Rule

_AGAIN = "gives something else when the workflow is recovered"
_CAUTION = "the call becomes a step, so the steps after it get other numbers"
_MAKES_OBJECT = "it makes an object: make the value in a step, and hand it to the constructor"
_OWN_CLOCK = "; what this clock says means nothing in another process"


class NondeterministicCall(Rule):
    """A workflow asks the clock, or leaves something to chance.

    ## What it does
    Finds calls of `random`, `numpy.random`, `secrets`, `os.urandom`, `uuid.uuid1` and `uuid.uuid4` (6 and 7 too), and
    of the clocks of `time` and `datetime`, in asynchronous workflows and in coroutines that they call. Calls of the
    project's synchronous functions that make such a call, or call one that does, count too; the finding tells the
    chain. So does making an object whose `default_factory` does it for a field that is not given. A generator with a
    seed (`random.Random(7)`) is fine, and so is a clock whose time only goes to a log, the terminal or a trace. In
    steps everything is allowed.

    ## Why
    When a workflow is recovered, its body runs once more, and the call gives something else than the first time. A
    branch that hangs on it may go another way, where other steps are than those recorded, and what was computed
    before is not what later steps get.

    ## Example
    ```python
    @DBOS.workflow()
    async def place_order(item: str) -> str:
        order_id = str(uuid.uuid4())
        await reserve(order_id, item)
        return order_id
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def place_order(item: str) -> str:
        order_id = str(await DBOS.run_step_async(None, uuid.uuid4))
        await reserve(order_id, item)
        return order_id
    ```

    ## Fix safety
    Unsafe: the call becomes a step, so the numbers of later steps change, and what it gives must be something that DBOS
    can record. The readings of `time.monotonic` and the like say nothing in another process: compare those of one run
    only. No fix in coroutines that other code calls too, nor in those that are run beside others of their workflow,
    where the time would decide about the new step's number; where `await` cannot stand; where something is changed
    in place (`random.shuffle`); for functions that draw steps themselves, change their arguments, their object or
    the module, or give back what cannot be recorded; and before dbos 2.9, which has no `run_step_async`.
    """

    code = CODE
    blocks = False
    effect = Effect("the call is recorded as a step: one step more")

    @classmethod
    def check_unit(cls, program: Program, unit: Unit) -> Iterable[Draft]:
        concurrency = program.concurrency
        for key in sorted(key for key in concurrency.workflow_code if key[0] == unit.number):
            function = unit.facts.functions[key[1]]
            if not function.is_async and key not in program.promoted:
                continue
            for call in _calls(program, unit, function):
                draft = cls.direct(program, call) or cls.through(program, call)
                if draft is None:
                    continue
                reason = draft.reason or cls.place(program, key, function)
                yield replace(draft, edits=() if reason else draft.edits, reason=reason)

    @classmethod
    def direct(cls, program: Program, call: CallSite) -> Draft | None:
        """What is wrong with a call of a clock, or of chance."""
        source = source_of(program, call)
        if source is None or (source.is_clock and only_logged(program, call.unit, call.node)):
            return None
        func, _ = called_by(program, call)
        message = f"`{ast.unparse(func)}` in workflow code {_AGAIN}"
        if source.fills:
            message = f"`{ast.unparse(func)}` makes its {source.fills}: that {_AGAIN}"
        draft = cls.mended(program, call, message, _obstacle(program, call, source) or _thread(program, call))
        return replace(draft, caution=draft.caution + _OWN_CLOCK) if source.own_clock and draft.edits else draft

    @classmethod
    def through(cls, program: Program, call: CallSite) -> Draft | None:
        """What is wrong with a call of a plain function that asks the clock, or chance."""
        known = program.nondeterminism
        atoms = program.value(call.unit, called_by(program, call)[0])
        keys = [key for key in known.run_by(call) if key in known.links and key not in program.promoted]
        if not keys:
            return None
        links = list(known.chain(keys[0]))
        dropped = isinstance(call.unit.facts.parents[call.node], ast.Expr)
        if links[-1].is_clock and not dropped and only_logged(program, call.unit, call.node):
            return None
        text, chain = known.told(keys[0])
        caller = program.enclosing(call.unit, call.context)
        message = f"`{caller.name if caller else 'a coroutine'}` calls {text}: that {_AGAIN}"
        others = [atom for atom in atoms if atom is not NONE and not isinstance(atom, (Func, Bound))]
        places = chain
        if any(isinstance(atom, Cls) for atom in others):
            reason = _MAKES_OBJECT
        elif isinstance(call.unit.facts.parents[call.node], ast.withitem):
            reason = "what `with` enters lives in this process only: make the value in a step, and hand it in"
        elif others:
            reason = "what is called here can also be something that the tool cannot follow"
        else:
            reason, more = not_recordable(program, known.run_by(call))
            places = (*chain, *more)
        return replace(cls.mended(program, call, message, reason or _thread(program, call)), chain=places)

    @classmethod
    def mended(cls, program: Program, call: CallSite, message: str, reason: str) -> Draft:
        """The finding at `call`, with the call as a step unless there is a `reason` against it."""
        if not program.catalogue.has("DBOS", "run_step_async"):
            reason = reason or f"dbos {program.version} has no DBOS.run_step_async: write a step that gives the value"
        if not reason and placement(program, call).awaited:
            reason = "it gives something to await, which cannot be recorded: choose by a number from a step"
        if reason:
            return Draft(cls, call, message, reason=reason)
        remedy = as_step(program, call)
        return Draft(cls, call, message, remedy.edits, reason=remedy.reason, caution=_CAUTION)

    @classmethod
    def place(cls, program: Program, key: FunctionKey, function: Function) -> str:
        """Why no step can be added to a function."""
        if key in program.concurrency.mixed:
            return (
                f"`{function.name}` may also run outside workflows, where nothing is recorded: "
                "make the value in the workflow, and hand it in"
            )
        if key in program.concurrency.gathered:
            return (
                f"`{function.name}` runs beside others of its workflow, and the time would decide about the number of "
                "the new step: make the value before, and hand it in"
            )
        return ""


def _calls(program: Program, unit: Unit, function: Function) -> Iterator[CallSite]:
    """The calls in a coroutine's body, and those in lambdas that are called where they stand in it."""
    yield from program.calls_in((unit.number, function.index))
    for inner in unit.facts.functions:
        if inner.parent == function.index and isinstance(inner.node, ast.Lambda):
            yield from (call for call in program.calls_in((unit.number, inner.index)) if call.context.trap == "lambda")


def _thread(program: Program, call: CallSite) -> str:
    """What to do where a thread makes the call."""
    func, _ = called_by(program, call)
    if func is call.node.func:
        return ""
    return f"use `DBOS.run_step_async(None, {ast.unparse(func)}, ...)`, which runs it in a thread too"


def _obstacle(program: Program, call: CallSite, source: Source) -> str:
    """Why a clock or chance cannot be called by a step as it is."""
    if not source.certain:
        return f"`{ast.unparse(call.node.func)}` can also be something else"
    if source.fills:
        return _MAKES_OBJECT
    if source.shuffles:
        return "a step does not record what is changed in place: take `random.sample(values, k=len(values))`"
    if holds_live(program, call):
        return "what is chosen cannot be recorded: choose by a number from a step"
    return ""
