"""DBA109: a queue's property that is a database read is read, or set, in a coroutine."""

from __future__ import annotations

import ast

from dbos_asyncify.dbos_api import Member
from dbos_asyncify.project.program import AttributeSite, Program
from dbos_asyncify.project.values import NONE, Inst
from dbos_asyncify.remedies.remedy import risk_of, through_getter
from dbos_asyncify.rules.base import Draft, Rule


class SyncQueueProperty(Rule):
    """A queue's property is read from the database in a coroutine.

    ## What it does
    Finds properties of queues (`queue.concurrency`, `queue.limiter`, …) that are read on the event loop, from the dbos
    version on in which they are kept in the database. Queues that the code itself constructs (`Queue("mail")`, before
    dbos 3) are kept in memory and left alone.

    ## Why
    Reading the property looks into the database: it stops every other coroutine of the process until the database has
    answered. Setting it raises `AttributeError`.

    ## Example
    ```python
    async def free_places(name: str) -> int:
        queue = await DBOS.retrieve_queue_async(name)
        return queue.concurrency - await busy(name)
    ```

    ## Instead
    ```python
    async def free_places(name: str) -> int:
        queue = await DBOS.retrieve_queue_async(name)
        return await queue.get_concurrency_async() - await busy(name)
    ```

    ## Fix safety
    Safe: both forms give the same value and record no step. Unsafe where the coroutine is run beside others of the
    same workflow: they go on while it waits, so that their steps may be numbered in another order than before.
    No fix where the dbos version has no asynchronous form (2.20), where a property is set, where `await` cannot stand
    (a lambda, a class body, a lazy generator, a pattern), or where a thread's lock is held.
    """

    code = "DBA109"

    @classmethod
    def check_attribute(cls, program: Program, attribute: AttributeSite) -> Draft | None:
        member = cls.property_of(program, attribute)
        if member is None or isinstance(attribute.node.ctx, ast.Del):
            return None
        name = f"{member.owner}.{member.name}"
        shown = ast.unparse(attribute.node)
        if isinstance(attribute.node.ctx, ast.Store):
            message = f"`{name}` cannot be set: the assignment to `{shown}` raises AttributeError"
            return Draft(cls, attribute, message, reason=cls.setter(program, attribute, member))
        message = f"`{name}` in a coroutine stops the event loop while it is read from the database"
        if any(not isinstance(atom, Inst) and atom is not NONE for atom in attribute.owner):
            reason = f"`{ast.unparse(attribute.node.value)}` can also be something that the tool cannot follow"
            return Draft(cls, attribute, message, reason=reason)
        if member.async_form is None:
            reason = (
                f"dbos {program.version} has no asynchronous form of it: read it in a function that is handed to "
                "asyncio.to_thread, or use dbos 2.21 or later"
            )
            return Draft(cls, attribute, message, reason=reason)
        remedy = through_getter(program, attribute, member.async_form.name)
        # No step is recorded here, but any other coroutine may record its own while this one waits: as in a thread.
        caution = risk_of(program, attribute, in_thread=True)
        return Draft(cls, attribute, message, remedy.edits, caution=caution, reason=remedy.reason)

    @staticmethod
    def property_of(program: Program, attribute: AttributeSite) -> Member | None:
        """The property of a queue in the database that this is, in the dbos version that the fixes are for."""
        queues = [atom for atom in attribute.owner if isinstance(atom, Inst) and atom.cls == "Queue"]
        known = [atom for atom in queues if not atom.declared] or queues
        if all(atom.constructed for atom in known) or not program.catalogue.has("Queue", attribute.node.attr):
            return None
        member = program.catalogue.member("Queue", attribute.node.attr)
        return member if member is not None and member.kind == "property" else None

    @staticmethod
    def setter(program: Program, attribute: AttributeSite, member: Member) -> str:
        """What to do instead of an assignment."""
        queue, name = ast.unparse(attribute.node.value), f"set_{member.name}"
        method = program.catalogue.member(member.owner, name)
        if method is None or method.async_form is None:
            return f"use `await asyncio.to_thread({queue}.{name}, ...)`"
        return f"use `await {queue}.{method.async_form.name}(...)`"
