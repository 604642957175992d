"""DBA104: a synchronous step is called from a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Role
from dbos_asyncify.remedies.callee import loop_use, synchronous_functions
from dbos_asyncify.remedies.remedy import in_thread, safety_of
from dbos_asyncify.rules.base import Draft, Rule


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
    others of the same workflow: the step would draw its number in a thread, in any order. No fix where the step's
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
        safety = safety_of(program, call, in_thread=True)
        return Draft(cls, call, message, remedy.edits, safety=safety, reason=remedy.reason)
