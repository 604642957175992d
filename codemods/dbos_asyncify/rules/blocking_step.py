"""DBA104: a synchronous step is called from a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Func, Role
from dbos_asyncify.remedies.callee import loop_use, synchronous_functions
from dbos_asyncify.remedies.remedy import as_step, in_thread, risk_of
from dbos_asyncify.rules.base import Draft, Rule
from dbos_asyncify.rules.concurrent_to_thread import not_by_run_step


class BlockingStep(Rule):
    """A synchronous step is called from a coroutine.

    ## What it does
    Finds direct calls of `@DBOS.step()` functions that are no coroutines and run on the event loop.

    ## Why
    The step, and the writing of its result to the database, stop every other coroutine of the process. DBOS calls
    in its body raise `RuntimeError`.

    ## Example
    ```python
    @DBOS.step()
    def resize(path: str) -> str: ...

    @DBOS.workflow()
    async def thumbnails(path: str) -> str:
        return resize(path)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def thumbnails(path: str) -> str:
        return await asyncio.to_thread(resize, path)
    ```

    ## Fix safety
    Safe in sequential code: the same steps are recorded in the same order. Unsafe where the coroutine is run beside
    others of the same workflow: the step would draw its number in a thread, in any order, so `DBOS.run_step_async`
    (from dbos 2.26 on, for steps without options) starts that thread there. No fix where the step's
    body uses the running event loop, which a thread does not have.
    """

    code = "DBA104"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        functions, certain = synchronous_functions(program, call, Role.STEP)
        if not functions:
            return None
        message = f"the step `{ast.unparse(call.node.func)}` runs on the event loop and stops it"
        if not certain:
            return Draft(cls, call, message, reason="what is called here can also be something else")
        place = loop_use(program, functions)
        if place is not None:
            reason = "the step's body uses the running event loop, which a thread does not have: make it a coroutine"
            return Draft(cls, call, message, reason=reason, chain=(place,))
        remedy = in_thread(program, call)
        caution = risk_of(program, call, in_thread=True)
        steps = [step for step in program.value(call.unit, call.node.func) if isinstance(step, Func)]
        if len(steps) == len(functions) and _is_beside_others(program, call) and not not_by_run_step(program, steps):
            remedy = as_step(program, call)  # which draws its number before the thread starts
        return Draft(cls, call, message, remedy.edits, caution=caution, reason=remedy.reason)


def _is_beside_others(program: Program, call: CallSite) -> bool:
    """Whether a thread would draw the step's number while others of the same workflow draw theirs (DBA202)."""
    branches = program.branches
    return call.function_key in branches.racing or branches.beside_task(call.function_key, call.node)
