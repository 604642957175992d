"""DBA102: a workflow is started from a coroutine; which form is right depends on the workflow."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.symbols import to_declare
from dbos_asyncify.project.values import Partial
from dbos_asyncify.remedies.remedy import in_thread, risk_of
from dbos_asyncify.remedies.started import Started
from dbos_asyncify.rules.base import Draft, Rule
from dbos_asyncify.rules.sync_dbos_call import (
    SyncDbosCall,
    api_member,
    asynchronous,
    blocking_message,
    certain,
    uncertain_reason,
)


class StartSyncWorkflow(Rule):
    """A synchronous workflow is started from a coroutine.

    ## What it does
    Finds `DBOS.start_workflow(f)` in a coroutine where `f` is a synchronous workflow, or one that is not known.

    ## Why
    `start_workflow` stops the event loop while it waits for the database. Its asynchronous form is only for
    coroutine workflows: a synchronous one would run on the loop itself, and then fail.

    ## Example
    ```python
    @DBOS.workflow()
    def report(day: str) -> str: ...

    async def endpoint(day: str) -> str:
        handle = DBOS.start_workflow(report, day)
        return handle.workflow_id
    ```

    ## Instead
    ```python
    async def endpoint(day: str) -> str:
        handle = await asyncio.to_thread(DBOS.start_workflow, report, day)
        return handle.workflow_id
    ```

    ## Fix safety
    Safe; the handle stays a synchronous one. Unsafe where the coroutine is run beside others of the same workflow:
    the child's number would be drawn in a thread, in any order. Where the workflow is not known (a parameter, a value
    out of a dictionary, a package that is not read), a person must decide, or declare what it is: `"async-workflow"`
    or `"sync-workflow"`; the finding shows the line. A `functools.partial` is no registered workflow and never works.
    No fix where `await` cannot stand.
    """

    code = "DBA102"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        member = api_member(program, call)
        if member is None or member.name != "start_workflow":
            return None
        message = blocking_message(member)
        if not certain(program, call):
            return Draft(cls, call, message, reason=uncertain_reason(call))
        if any(isinstance(atom, Partial) for atom in call.callee):
            remedy = in_thread(program, call)
            caution = risk_of(program, call, in_thread=True)
            return Draft(cls, call, message, remedy.edits, caution=caution, reason=remedy.reason)
        target = cls.target_of(call.node)
        shown = ast.unparse(target) if target is not None else "nothing"
        started = Started.by(program, call.unit, target)
        kinds = started.kinds
        if kinds == {"async"}:
            if member.async_form is None:
                remedy = in_thread(program, call)
                caution = risk_of(program, call, in_thread=True)
                return Draft(SyncDbosCall, call, message, remedy.edits, caution=caution, reason=remedy.reason)
            return asynchronous(SyncDbosCall, program, call, member, message)
        if kinds == {"sync"}:
            remedy = in_thread(program, call)
            message = f"`{member.owner}.start_workflow` of the synchronous workflow `{shown}` stops the event loop"
            caution = risk_of(program, call, in_thread=True)
            return Draft(cls, call, message, remedy.edits, caution=caution, reason=remedy.reason)
        if kinds == {"partial"}:
            reason = f"`{shown}` is a functools.partial, which DBOS cannot start: start the workflow itself"
        elif kinds == {"sync", "async"}:
            reason = f"`{shown}` can be a synchronous and an asynchronous workflow: start each with its own form"
        else:
            reason = (
                f"it is not known whether `{shown}` is a coroutine: if it is, use start_workflow_async, else "
                "asyncio.to_thread"
            )
            if started.names:
                line = to_declare(started.names, "async-workflow")
                reason += f', or let [tool.dbos-asyncify] say which: {line} (or "sync-workflow")'
        return Draft(cls, call, message, reason=reason)

    @staticmethod
    def target_of(node: ast.Call) -> ast.expr | None:
        """The workflow that is to be started."""
        if node.args:
            return None if isinstance(node.args[0], ast.Starred) else node.args[0]
        return next((word.value for word in node.keywords if word.arg == "func"), None)
