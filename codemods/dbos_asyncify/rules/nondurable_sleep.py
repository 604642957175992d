"""DBA205: `asyncio.sleep` in workflow code."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Ext
from dbos_asyncify.remedies.placement import taker
from dbos_asyncify.remedies.remedy import instead
from dbos_asyncify.remedies.spelling import by_name
from dbos_asyncify.rules.base import Draft, Effect, Rule

_SLEEPS = frozenset({"asyncio.sleep", "anyio.sleep"})
_STARTS = frozenset({"await", "gather", "create_task", "ensure_future", "asyncio_wait"})  # these only await it


class NondurableSleep(Rule):
    """`asyncio.sleep` is called in a workflow.

    ## What it does
    Finds calls of `asyncio.sleep` (and `anyio.sleep`) in asynchronous workflows, and in coroutines that they call. A
    sleep of a constant 0 only lets other coroutines run and is left alone, and so is all that steps do.

    ## Why
    Nothing records that the workflow has slept. When it is recovered, it sleeps the whole time once more, where
    `DBOS.sleep_async` sleeps for the rest of the time only.

    ## Example
    ```python
    @DBOS.workflow()
    async def remind(address: str) -> None:
        await asyncio.sleep(3600)
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
    Unsafe: `DBOS.sleep_async` is recorded as a step, so the numbers of later steps change. No fix in coroutines that
    other code calls too (`DBOS.sleep_async` fails outside workflows), nor in those that are run beside others of their
    workflow, where the time would decide about the new step's number. No fix where nothing awaits the sleep where it
    stands, where it may be cancelled (`asyncio.wait_for`), or where it is given more than the number of seconds. An
    import of `asyncio` that is no longer used stays.
    """

    code = "DBA205"
    blocks = False
    effect = Effect("`DBOS.sleep_async` is recorded, `asyncio.sleep` was not: one step more")

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        atoms = [atom for atom in call.callee if atom is not NONE]
        sleeps = [isinstance(atom, Ext) and atom.path in _SLEEPS for atom in atoms]
        if not any(sleeps) or _is_no_sleep(call.node) or isinstance(call.unit.facts.parents[call.node], ast.Expr):
            return None
        if call.function_key not in program.concurrency.workflow_code:
            return None
        shown = ast.unparse(call.node.func)
        message = f"`{shown}` in workflow code is not recorded: after a recovery it starts over"
        reason = "" if all(sleeps) else f"`{shown}` can also be something else"
        reason = reason or cls.obstacle(program, call)
        if reason:
            return Draft(cls, call, message, reason=reason)
        dbos, imports = by_name(program, call, "dbos", "DBOS")
        remedy = instead(program, call, f"{dbos}.sleep_async", imports)
        caution = "the sleep becomes a step, so the steps after it get other numbers"
        return Draft(cls, call, message, remedy.edits, reason=remedy.reason, caution=caution)

    @classmethod
    def obstacle(cls, program: Program, call: CallSite) -> str:
        """Why `DBOS.sleep_async` cannot simply take its place."""
        function = program.enclosing(call.unit, call.context)
        name = function.name if function else "this"
        if not program.catalogue.has("DBOS", "sleep_async"):
            return f"dbos {program.version} has no DBOS.sleep_async"
        if call.function_key in program.concurrency.mixed:
            return (
                f"`{name}` may also run outside workflows, where DBOS.sleep_async fails: "
                "give the workflow a coroutine of its own"
            )
        if call.function_key in program.concurrency.gathered:
            return (
                f"`{name}` runs beside others of its workflow, and the time would decide about the number of "
                "the new step: make it a child workflow, and use DBOS.sleep_async there"
            )
        arguments = [*call.node.args, *call.node.keywords]
        if len(arguments) != 1 or not call.node.args or isinstance(call.node.args[0], ast.Starred):
            return "DBOS.sleep_async takes the seconds only, by position"
        takes = taker(program, call.unit, call.node)
        if takes is None:
            return "nothing awaits it where it stands: await DBOS.sleep_async where the time is to pass"
        if takes not in _STARTS:
            return f"{takes}() may end it early: use a timeout of DBOS, or wait with DBOS.sleep_async"
        return ""


def _is_no_sleep(call: ast.Call) -> bool:
    """Whether it is a constant of 0, or less."""
    if not call.args:
        return False
    try:
        seconds = ast.literal_eval(call.args[0])
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(seconds, (int, float)) and seconds <= 0
