"""DBA108: a synchronous DBOS call in a coroutine, where this version of DBOS has no asynchronous form."""

from __future__ import annotations

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.remedies.remedy import in_thread, risk_of
from dbos_asyncify.rules.base import Draft, Rule
from dbos_asyncify.rules.sync_dbos_call import api_member, blocking_message, certain, uncertain_reason

_OWNERS = frozenset({"DBOS", "DBOSClient", "Queue", "Debouncer", "DebouncerClient", "StepReservation"})

# Set-up and lifecycle (moving `launch` to a thread would change which loop workflows run on), and what does no
# input or output (measured on dbos 3.4.0).
_LEFT_ALONE = frozenset(
    {
        "launch", "destroy", "migrate", "reset_system_database", "listen_queues", "reserve_step", "set_authentication",
        "alert_handler", "register_instance", "kafka_consumer", "get_workflow_id", "create", "create_async",
    }
)  # fmt: skip


class NoAsyncForm(Rule):
    """A synchronous DBOS call in a coroutine that has no asynchronous form.

    ## What it does
    Finds DBOS calls on the event loop that work on the database and have no asynchronous form in the dbos version
    that the project uses (`DBOS.pause_schedule`, `DBOSClient.trigger_schedule`, …). Set-up and lifecycle calls
    such as `DBOS.launch` are left alone.

    ## Why
    The call stops every other coroutine of the process while it waits for the database.

    ## Example
    ```python
    async def pause(name: str) -> None:
        DBOS.pause_schedule(name)
    ```

    ## Instead
    ```python
    async def pause(name: str) -> None:
        await asyncio.to_thread(DBOS.pause_schedule, name)
    ```

    ## Fix safety
    Safe: in sequential code the same steps are recorded in the same order. Unsafe where the coroutine is run beside
    others of the same workflow: the call would draw its step ids in a thread, in any order. No fix where `await`
    cannot stand, or where what the call gives is iterated over lazily (a generator).
    """

    code = "DBA108"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        member = api_member(program, call)
        if member is None or member.async_form is not None or member.owner not in _OWNERS:
            return None
        if member.name in _LEFT_ALONE or member.name == "start_workflow":
            return None
        message = f"{blocking_message(member)}; dbos {program.version} has no asynchronous form of it"
        if not certain(program, call):
            return Draft(cls, call, message, reason=uncertain_reason(call))
        if member.kind == "generator":
            return Draft(
                cls,
                call,
                message,
                reason="collect the values in a function and hand that to asyncio.to_thread",
            )
        remedy = in_thread(program, call)
        caution = risk_of(program, call, in_thread=True)
        return Draft(cls, call, message, remedy.edits, caution=caution, reason=remedy.reason)
