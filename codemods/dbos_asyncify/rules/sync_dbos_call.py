"""DBA101: a synchronous DBOS call in a coroutine, where DBOS has an asynchronous form."""

from __future__ import annotations

from dbos_asyncify.dbos_api import FormKind, Member, OnLoop
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, UNKNOWN, Api
from dbos_asyncify.remedies.callee import targets
from dbos_asyncify.remedies.remedy import async_form, in_thread, risk_of
from dbos_asyncify.rules.base import Draft, Rule

_EFFECT = {
    OnLoop.RAISES: "raises RuntimeError on a running event loop",
    OnLoop.WARNS: "stops the event loop while it waits for the database",
    OnLoop.BLOCKS: "stops the event loop while it waits for the database",
}
_ASKS_AGAIN = {("DBOS", "resume_workflow"), ("DBOS", "fork_workflow"), ("DBOS", "restart_workflow")}
_ASKS_ONCE = (2, 10)  # before, their asynchronous forms record one step more (FACTS.md 0.7)


class SyncDbosCall(Rule):
    """A synchronous DBOS call in a coroutine.

    ## What it does
    Finds calls of the synchronous DBOS API (`DBOS`, clients, queues, debouncers) that run on the event loop.

    ## Why
    On a running event loop these calls raise `RuntimeError` (dbos 2.10 and later), or stop every other coroutine
    of the process until the database has answered.

    ## Example
    ```python
    @DBOS.workflow()
    async def reminder(address: str) -> None:
        DBOS.sleep(3600)
        handle = DBOS.start_workflow(send_mail, address)
        print(handle.get_result())
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def reminder(address: str) -> None:
        await DBOS.sleep_async(3600)
        handle = await DBOS.start_workflow_async(send_mail, address)
        print(await handle.get_result())
    ```

    ## Fix safety
    Safe: in sequential code both forms record the same steps in the same order. Where a handle or a stream comes
    out of the call, everything that uses it is part of the same fix; if one use cannot be changed, or is out of the
    tool's sight, none is. No fix where `await` cannot stand (a lambda, a class body, a lazy generator), or where a
    thread's lock is held.
    The call goes to a thread instead where the asynchronous form lacks a parameter that is used or takes it in another
    way, and where the method is called under another name (`nap = DBOS.sleep`).
    Unsafe in a coroutine that a workflow runs beside others and that draws more than one step: the steps would be
    numbered in another order than before. Unsafe in `self.total += DBOS.recv()`, for this and all rules: Python reads
    the old total first, and what other coroutines add during the `await` would be lost.
    """

    code = "DBA101"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        member = api_member(program, call)
        if member is None or member.async_form is None or member.name == "start_workflow":
            return None
        form = member.async_form
        if form.kind is FormKind.FUNCTION or form.owner != member.owner:
            return None
        message = blocking_message(member)
        if not certain(program, call):
            return Draft(cls, call, message, reason=uncertain_reason(call))
        return asynchronous(cls, program, call, member, message)


def asynchronous(rule: type[Rule], program: Program, call: CallSite, member: Member, message: str) -> Draft:
    """The call in its async form; in a thread where that form lacks a parameter in use, or records other steps."""
    form = member.async_form
    assert form is not None
    used = {word.arg for word in call.node.keywords}
    other_steps = (
        (member.owner, member.name) in _ASKS_AGAIN
        and program.catalogue.version < _ASKS_ONCE
        and call.function_key in program.concurrency.workflow_code
    )
    if other_steps or used & set(form.different_parameters):
        remedy = in_thread(program, call)
    elif form.kind is FormKind.ASYNC_GENERATOR:
        return Draft(rule, call, message, turns=True)  # its edits depend on how it is iterated
    else:
        remedy = async_form(program, call, member.name, form.name)
    gives_handles = member.returns is not None and member.returns.cls.startswith("WorkflowHandle")
    turns = gives_handles and not remedy.in_thread and member.name != "wait_first"
    caution = risk_of(program, call, in_thread=remedy.in_thread)
    return Draft(rule, call, message, remedy.edits, caution=caution, reason=remedy.reason, turns=turns)


def api_member(program: Program, call: CallSite) -> Member | None:
    """The synchronous member of a dbos class that is called here, if there is (at least possibly) one."""
    members = [atom for atom in targets(program, call) if isinstance(atom, Api)]
    for atom in sorted(members, key=lambda atom: (atom.owner, atom.name)):
        member = program.catalogue.member(atom.owner, atom.name)
        if member is not None and not member.is_async and member.kind in ("method", "generator"):
            return member
    return None


def certain(program: Program, call: CallSite) -> bool:
    """Whether the callee can be nothing but members of one name."""
    atoms = [atom for atom in targets(program, call) if atom is not NONE]
    return len({atom.name if isinstance(atom, Api) else atom for atom in atoms}) == 1


def uncertain_reason(call: CallSite) -> str:
    if UNKNOWN in call.callee:
        return "what is called here can also be something that the tool cannot follow"
    return "what is called here can be one of several things"


def blocking_message(member: Member) -> str:
    name = f"{member.owner}.{member.name}"
    return f"`{name}` in a coroutine {_EFFECT[member.on_loop]}"
