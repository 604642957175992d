"""DBA107: the result or status of a workflow is waited for on the event loop."""

from __future__ import annotations

import ast

from dbos_asyncify.dbos_api import OnLoop
from dbos_asyncify.project.facts import Call
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, WAITS, Api, Handle, HandleMethod
from dbos_asyncify.remedies.remedy import awaited, in_thread, risk_of
from dbos_asyncify.rules.base import Draft, Rule

_CLIENT = "WorkflowHandleClientPolling"


class BlockingHandle(Rule):
    """A workflow handle is waited for on the event loop.

    ## What it does
    Finds `.get_result()` and `.get_status()` of synchronous workflow handles in coroutines, wherever the handle
    has come from: variables, containers, loops, attributes.

    ## Why
    `get_result()` stops every other coroutine of the process until the workflow has ended, for ever where that
    workflow needs the same event loop. `get_status()` raises `RuntimeError` on a running loop (dbos 2.10 and later),
    that of a client's handle stops the loop.

    ## Example
    ```python
    async def total(orders: list[str]) -> int:
        handles = [DBOS.start_workflow(price, order) for order in orders]
        return sum(handle.get_result() for handle in handles)
    ```

    ## Instead
    ```python
    async def total(orders: list[str]) -> int:
        handles = [await DBOS.start_workflow_async(price, order) for order in orders]
        return sum([await handle.get_result() for handle in handles])
    ```

    ## Fix safety
    Safe. Where the call that gives the handle becomes asynchronous, that call and all uses of the handle are one
    fix; where the handle stays synchronous, it is waited for in a thread. The results are awaited one after the
    other, in the order of the code: waiting for several at once would number the steps by who is ready first.
    No fix where the handle goes out of sight (to code that is not read, out of a function whose callers are not all
    known), where it can be of both kinds or is also waited for in synchronous code, where `await` cannot stand, and
    where the right form of the call that gives the handle is not known. What neither keeps a handle nor waits for it
    can be declared `"harmless"`; the finding shows the line.
    """

    code = "DBA107"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        methods = [atom for atom in call.callee if isinstance(atom, HandleMethod) and atom.name in WAITS]
        known = [atom.handle for atom in methods if not atom.handle.declared] or [atom.handle for atom in methods]
        synchronous = [handle for handle in known if not handle.is_async]
        if not synchronous:
            return None
        effect = _effect(program, methods[0].name, synchronous)
        message = f"`{ast.unparse(call.node.func)}()` of a synchronous handle {effect}"
        origins = frozenset(handle.site for handle in synchronous)
        stay, turn = in_thread(program, call), awaited(program, call)
        reason = stay.reason
        if any(atom is not NONE and atom not in methods for atom in call.callee):
            reason = "the handle can also be something that the tool cannot follow"
        elif len(synchronous) < len(known):
            reason = "the handle can be a synchronous or an asynchronous one"
        return Draft(
            cls,
            call,
            message,
            stay.edits,
            caution=risk_of(program, call, in_thread=True),
            reason=reason,
            origins=origins,
            turned=turn.edits,
            turned_reason=turn.reason,
        )


def _effect(program: Program, method: str, handles: list[Handle]) -> str:
    """What the method of such handles does on a running loop: those of a client never look whether one runs."""
    classes = {_CLIENT if _of_client(program, handle) else "WorkflowHandle" for handle in handles}
    members = [program.catalogue.member(cls, method) for cls in classes]
    if any(member is not None and member.on_loop is OnLoop.RAISES for member in members):
        return "raises RuntimeError on a running event loop"
    return "stops the event loop"


def _of_client(program: Program, handle: Handle) -> bool:
    """Whether a client's method gave the handle."""
    op = program.values.facts[handle.site.module].ops[handle.site.node]
    callee = program.values.value(handle.site.module, op.func) if isinstance(op, Call) else frozenset()
    return any(isinstance(atom, Api) and "Client" in atom.owner for atom in callee)
