"""DBA202: threads side by side draw the numbers of their steps in any order."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dbos_asyncify.edits import Edit, StepFromThread
from dbos_asyncify.project.branches import Beside
from dbos_asyncify.project.draws import most, thread_of
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Decorator, Func, Role
from dbos_asyncify.remedies.callee import makes_coroutine
from dbos_asyncify.remedies.sequence import in_sequence
from dbos_asyncify.remedies.spelling import by_name
from dbos_asyncify.rules.base import Draft, Effect, Rule

_CAUTION = "the steps are numbered in the order of the calls from now on"
_IN_THREADS_SINCE = (2, 26)  # before, `run_step_async` ran the function on the event loop


class ConcurrentToThread(Rule):
    """A thread draws a step while others of the same workflow do.

    ## What it does
    Finds `asyncio.to_thread(...)` of steps, transactions and functions that run some, where it runs beside other
    coroutines of the same workflow that draw steps: in `gather`, in a task, in a coroutine that is gathered.

    ## Why
    What runs in the thread gets its number in the workflow's history when the thread comes to it. Side by side that is
    any order, and two threads can get the same number: `DBOSStepNondeterminismError`.

    ## Example
    ```python
    @DBOS.workflow()
    async def thumbnails(paths: list[str]) -> list[str]:
        small = [asyncio.to_thread(resize, path) for path in paths]
        return await asyncio.gather(*small, return_exceptions=True)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def thumbnails(paths: list[str]) -> list[str]:
        small = [DBOS.run_step_async(None, resize, path) for path in paths]
        return await asyncio.gather(*small, return_exceptions=True)
    ```

    ## Fix safety
    Unsafe: steps that have been recorded in another order are not found again. `DBOS.run_step_async` takes the number
    before the thread starts (and runs functions in threads from dbos 2.26 on). It is no way for transactions, which
    would lose their own record, nor for functions that run several steps: those are awaited one after the other if a
    `gather` holds nothing else. No fix for steps with options such as retries, which would be lost.
    """

    code = "DBA202"
    blocks = False
    effect = Effect("the steps get their numbers in the order of the calls", certain=False)
    besides = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        thread = thread_of(program.values, call.unit.number, call.node)
        if thread is None or call.function_key not in program.concurrency.workflow_code:
            return None
        if not most(program.concurrency.draws.of_call(call.unit.number, call.node)):
            return None
        beside = _beside(program, call)
        inside = call.function_key in program.branches.racing
        if beside is None and not inside and not program.branches.beside_task(call.function_key, call.node):
            return None
        path, handed = thread
        if handed is not None and any(makes_coroutine(program, atom) for atom in program.value(call.unit, handed)):
            return None  # nothing of it runs: DBA113
        shown = ast.unparse(handed) if handed else ast.unparse(call.node.func)
        message = f"`{shown}` runs a step in a thread beside others of its workflow: their numbers depend on timing"
        edits, reason = cls.remedy(program, call, path, beside)
        return Draft(cls, call, message, edits, reason, "" if reason else _CAUTION)

    @classmethod
    def remedy(cls, program: Program, call: CallSite, path: str, beside: Beside | None) -> tuple[tuple[Edit, ...], str]:
        """The edits, or the reason why there are none."""
        if call.function_key in program.concurrency.mixed:
            return (), "this code may run outside workflows too: split it, and run the step with `DBOS.run_step_async`"
        target = program.value(call.unit, call.node.args[0]) if call.node.args else frozenset()
        steps = [atom for atom in target if isinstance(atom, Func) and atom.role is Role.STEP]
        if steps and len(steps) == len(target) and path == "asyncio.to_thread":
            if reason := not_by_run_step(program, steps):
                return (), reason
            dbos, imports = by_name(program, call, "dbos", "DBOS")
            return (StepFromThread(call.span, f"{dbos}.run_step_async", imports),), ""
        if beside is not None and beside.name == "gather" and all(branch.in_thread for branch in beside.branches):
            remedy = in_sequence(program, call, beside.taker)
            return remedy.edits, remedy.reason
        return (), "await it before or after the others, or make a child workflow of what has to run beside them"


def not_by_run_step(program: Program, steps: Iterable[Func]) -> str:
    """Why `DBOS.run_step_async` cannot run these steps; empty if it can."""
    if program.catalogue.version < _IN_THREADS_SINCE or not program.catalogue.has("DBOS", "run_step_async"):
        return "make the step a coroutine: `DBOS.run_step_async` uses threads from dbos 2.26 on only"
    if not all(_has_no_options(program, step) for step in steps):
        return "the step has options, which have to be the first argument of `DBOS.run_step_async`"
    return ""


def _beside(program: Program, call: CallSite) -> Beside | None:
    """The call that runs this one beside others."""
    for beside in program.branches.beside.values():
        if any(branch.call is call.node and beside.races(branch) for branch in beside.handed):
            return beside
    return None


def _has_no_options(program: Program, step: Func) -> bool:
    """Whether a function is under a plain `@DBOS.step()`."""
    unit = program.units[step.module]
    node = unit.facts.functions[step.index].node
    for decorator in getattr(node, "decorator_list", []):
        if any(isinstance(atom, Decorator) and atom.role is Role.STEP for atom in program.value(unit, decorator)):
            return isinstance(decorator, ast.Call) and not decorator.args and not decorator.keywords
    return False
