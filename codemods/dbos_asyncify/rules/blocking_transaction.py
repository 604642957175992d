"""DBA103: a synchronous transaction is called from a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Api, Func, Role
from dbos_asyncify.remedies.callee import loop_use, synchronous_functions
from dbos_asyncify.remedies.remedy import in_thread
from dbos_asyncify.rules.base import Draft, Rule
from dbos_asyncify.rules.wrong_colour_decorator import refused_by

DATASOURCE = "SQLAlchemyDatasource"


class BlockingTransaction(Rule):
    """A synchronous transaction is called from a coroutine.

    ## What it does
    Finds direct calls of functions under `@DBOS.transaction()` or a `SQLAlchemyDatasource`'s `@ds.transaction()`,
    and of `ds.run_tx_step(...)`, that run on the event loop.

    ## Why
    The transaction runs on the loop's thread: every other coroutine of the process waits until the database is
    done.

    ## Example
    ```python
    @ds.transaction()
    def add_order(item: str) -> int: ...

    @DBOS.workflow()
    async def order(item: str) -> int:
        return add_order(item)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def order(item: str) -> int:
        return await asyncio.to_thread(add_order, item)
    ```

    ## Fix safety
    Safe in sequential code: the same steps are recorded in the same order. No fix where the coroutine is run
    beside others of the same workflow (`gather`, `create_task`, …): in threads the transactions would fail there
    (dbos before 3) or draw their step ids in any order (dbos 3). No fix either where the transaction's body, or
    a function that it calls, uses the running event loop, which a thread does not have.
    """

    code = "DBA103"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        functions, certain = synchronous_functions(program, call, Role.TRANSACTION)
        tx_step = any(isinstance(a, Api) and a.owner == DATASOURCE and a.name == "run_tx_step" for a in call.callee)
        if not functions and not tx_step:
            return None
        message = f"the transaction `{ast.unparse(call.node.func)}` runs on the event loop and stops it"
        if not certain and not (tx_step and len(call.callee) == 1):
            return Draft(cls, call, message, reason="what is called here can also be something else")
        if any(
            isinstance(f, Func) and refused_by(program, program.units[f.module], program.function(f)) for f in functions
        ):
            reason = "the function and its decorator do not go together, which must be mended first (DBA114)"
            return Draft(cls, call, message, reason=reason)
        if program.concurrency.runs_beside(*call.function_key):
            reason = (
                "this coroutine runs beside others of its workflow; in a thread the order of its steps would be "
                "left to chance: await the transactions one after the other, or make each sequence a child workflow"
            )
            return Draft(cls, call, message, reason=reason)
        place = loop_use(program, functions)
        if place is not None:
            reason = (
                "the transaction's body uses the running event loop, which a thread does not have: make it a coroutine"
            )
            return Draft(cls, call, message, reason=reason, chain=(place,))
        remedy = in_thread(program, call)
        return Draft(cls, call, message, remedy.edits, reason=remedy.reason)
