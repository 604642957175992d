"""DBA112: a synchronous call stands where something to await belongs."""

from __future__ import annotations

from dataclasses import replace

from dbos_asyncify.edits import ToThread
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import HandleMethod
from dbos_asyncify.remedies.placement import placement
from dbos_asyncify.rules.base import Draft, Rule, all_rules


class AwaitedSyncCall(Rule):
    """A synchronous call stands where an awaitable belongs.

    ## What it does
    Finds synchronous DBOS calls, transactions, steps, workflows and `time.sleep` directly under `await`, or handed to
    `asyncio.gather`, `create_task`, `wait_for` and the like.

    ## Why
    The call runs at once, on the event loop: it raises `RuntimeError` there or stops the loop, and what it gives
    cannot be awaited.

    ## Example
    ```python
    async def nap() -> None:
        await DBOS.sleep(1)
        await asyncio.gather(DBOS.recv("a"), DBOS.recv("b"))
    ```

    ## Instead
    ```python
    async def nap() -> None:
        await DBOS.sleep_async(1)
        await asyncio.gather(DBOS.recv_async("a"), DBOS.recv_async("b"))
    ```

    ## Fix safety
    Safe: the code never worked. No fix where several threads would draw step ids of one workflow in any order, or
    where the dbos version cannot run the asynchronous forms side by side (before 2.10).
    """

    code = "DBA112"
    precedence = 0

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        place = placement(program, call)
        if not place.awaited or any(isinstance(atom, HandleMethod) for atom in call.callee):
            return None
        for rule in all_rules().values():
            draft = rule.check(program, call) if rule.blocks and rule is not cls else None
            if draft is not None:
                return cls.instead_of(program, draft, concurrently=place.concurrently)
        return None

    @classmethod
    def instead_of(cls, program: Program, draft: Draft, *, concurrently: bool) -> Draft:
        """The same call, told as one that somebody awaits."""
        message = f"{draft.message}, and gives nothing to await"
        draft = replace(draft, rule=cls, message=message, caution="")
        key = draft.call.function_key
        if concurrently and draft.edits and key in program.concurrency.workflow_code:
            threads = any(isinstance(edit, ToThread) for edit in draft.edits)
            if threads:
                reason = (
                    "threads side by side would draw the workflow's step ids in any order: await one after the other"
                )
                return replace(draft, edits=(), reason=reason)
            if program.catalogue.version < (2, 10):
                reason = "before dbos 2.10 the asynchronous forms of one workflow cannot run side by side"
                return replace(draft, edits=(), reason=reason)
        return draft
