"""DBA105: a synchronous workflow is called from a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Role
from dbos_asyncify.remedies.callee import loop_use, synchronous_functions
from dbos_asyncify.remedies.remedy import in_thread, risk_of
from dbos_asyncify.rules.base import Draft, Rule


class BlockingWorkflow(Rule):
    """A synchronous workflow is called from a coroutine.

    ## What it does
    Finds direct calls of `@DBOS.workflow()` functions that are no coroutines and run on the event loop.

    ## Why
    The whole workflow runs on the loop's thread: every other coroutine of the process waits until it is done, and
    its own DBOS calls raise `RuntimeError`.

    ## Example
    ```python
    @DBOS.workflow()
    def invoice(order: int) -> str: ...

    @DBOS.workflow()
    async def checkout(order: int) -> str:
        return invoice(order)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def checkout(order: int) -> str:
        return await asyncio.to_thread(invoice, order)
    ```

    ## Fix safety
    Safe: the same steps and child workflow are recorded in the same order, and `SetWorkflowID` still applies.
    Unsafe where the coroutine is run beside others of the same workflow: the child's number would be drawn in a
    thread, in any order. No fix where the workflow's body, or a function that it calls, uses the running event loop.
    """

    code = "DBA105"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        functions, certain = synchronous_functions(program, call, Role.WORKFLOW)
        if not functions:
            return None
        message = f"the synchronous workflow `{ast.unparse(call.node.func)}` runs on the event loop and stops it"
        if not certain:
            return Draft(cls, call, message, reason="what is called here can also be something else")
        place = loop_use(program, functions)
        if place is not None:
            reason = (
                "the workflow's body uses the running event loop, which a thread does not have: make it a coroutine"
            )
            return Draft(cls, call, message, reason=reason, chain=(place,))
        remedy = in_thread(program, call)
        caution = risk_of(program, call, in_thread=True)
        return Draft(cls, call, message, remedy.edits, caution=caution, reason=remedy.reason)
