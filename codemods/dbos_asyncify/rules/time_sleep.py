"""DBA110: `time.sleep` in a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program, Unit
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import NONE, Ext, Module
from dbos_asyncify.remedies.remedy import OTHER_ORDER, instead, risk_of
from dbos_asyncify.remedies.spelling import by_name, in_module
from dbos_asyncify.rules.base import Draft, Effect, Rule

_SLEEP = Ext("time.sleep")
DURABLE_SLEEP = "`DBOS.sleep_async` is recorded as a step, so later steps get other numbers"
_ONE_MORE = Effect("`DBOS.sleep_async` is recorded, `time.sleep` was not: one step more")


class TimeSleep(Rule):
    """`time.sleep` is called in a coroutine.

    ## What it does
    Finds calls of `time.sleep` that run on the event loop, however it was imported.

    ## Why
    It stops every other coroutine of the process for that time. In a workflow it also starts all over again when the
    workflow is recovered, where `DBOS.sleep_async` sleeps for the rest of the time only.

    ## Example
    ```python
    @DBOS.workflow()
    async def remind(address: str) -> None:
        time.sleep(3600)
        await send_mail(address)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def remind(address: str) -> None:
        await DBOS.sleep_async(3600)
        await send_mail(address)
    ```

    ## Fix safety
    Unsafe in workflows and in coroutines that only they call: `DBOS.sleep_async` is recorded as a step, so the numbers
    of later steps change. Safe elsewhere (in steps, and in coroutines that other code calls too), where it becomes
    `asyncio.sleep`: `DBOS.sleep_async` fails outside workflows. Unsafe again where such a coroutine is run beside
    others of the same workflow, whose steps may then be numbered in another order than before.
    No fix where `time.sleep` comes in as a parameter or attribute (perhaps for tests to replace it), where `await`
    cannot stand (a lambda, a class body, a lazy generator), or where a thread's lock is held. An import of `time` that
    is no longer used stays.
    """

    code = "DBA110"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        if _SLEEP not in call.callee:
            return None
        shown = ast.unparse(call.node.func)
        message = "`time.sleep` in a coroutine stops the event loop"
        if not call.callee <= {_SLEEP, NONE}:
            return Draft(cls, call, message, reason=f"`{shown}` can also be something else")
        if not is_constant(program, call.unit, call.node.func):
            return Draft(
                cls, call, message, reason=f"`{shown}` is handed in: hand in a coroutine function, and await it"
            )
        durable = program.catalogue.has("DBOS", "sleep_async")
        if durable and call.function_key in program.concurrency.workflow_code - program.concurrency.mixed:
            message = "`time.sleep` in a workflow stops the event loop, and starts over after a recovery"
            dbos, imports = by_name(program, call, "dbos", "DBOS")
            remedy = instead(program, call, f"{dbos}.sleep_async", imports)
            return Draft(cls, call, message, remedy.edits, remedy.reason, DURABLE_SLEEP, _ONE_MORE)
        remedy = instead(program, call, *in_module(program, call, "asyncio", "sleep"))
        # Other coroutines go on meanwhile, and may record their steps: as if this one waited for a thread.
        caution = OTHER_ORDER if risk_of(program, call, in_thread=True) else ""
        return Draft(cls, call, message, remedy.edits, remedy.reason, caution)


def is_constant(program: Program, unit: Unit, func: ast.expr) -> bool:
    """Whether an import or an assignment to a variable says what is called here, so that nobody can replace it."""
    while isinstance(func, ast.Attribute):
        func = func.value
        if not all(isinstance(atom, (Ext, Module)) for atom in program.value(unit, func)):
            return False
    if not isinstance(func, ast.Name):
        return False
    scope = unit.facts.name_scopes[unit.facts.numbers[func]]
    owner = max(owner_of(unit.facts.scopes, scope, func.id), 0)
    definitions = unit.facts.cells.get((owner, func.id), ())
    return not any(isinstance(unit.facts.nodes[number], ast.arg) for number in definitions)
