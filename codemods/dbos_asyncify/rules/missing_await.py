"""DBA111: a coroutine is made, and nothing awaits it."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Bound, Coro, Func, Role
from dbos_asyncify.remedies.awaits import is_awaited, is_lost
from dbos_asyncify.remedies.callee import makes_coroutine, targets
from dbos_asyncify.remedies.remedy import awaited
from dbos_asyncify.rules.base import Draft, Effect, Rule


class MissingAwait(Rule):
    """A coroutine of DBOS is made, and nothing awaits it.

    ## What it does
    Finds calls of asynchronous DBOS forms (`X_async`), of asynchronous steps, transactions and workflows, and of
    `get_result()` and `get_status()` of asynchronous handles, whose coroutine is dropped, or only used as if it
    were the value that it would give. A coroutine that goes anywhere (into a call, a container or an attribute,
    out by `return` or `yield`) is left alone, and so is one in a variable that is awaited or handed on somewhere.

    ## Why
    Nothing of it runs: no step is recorded, no message sent, no workflow started. Python only warns when the
    coroutine is thrown away.

    ## Example
    ```python
    @DBOS.workflow()
    async def remind(user: str) -> None:
        DBOS.sleep_async(3600)
        handle = DBOS.start_workflow_async(send_mail, user)
        print(handle.get_result())
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def remind(user: str) -> None:
        await DBOS.sleep_async(3600)
        handle = await DBOS.start_workflow_async(send_mail, user)
        print(await handle.get_result())
    ```

    ## Fix safety
    Unsafe: what has never run begins to run, and a workflow records more steps than its runs in flight have. No fix
    in synchronous code, where nothing can be awaited, and where `await` cannot stand (a lambda, a class body, a lazy
    generator).
    """

    code = "DBA111"
    blocks = False
    anywhere = True
    effect = Effect("what was never awaited runs now, and is recorded: steps more than before")

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        atoms = [atom for atom in targets(program, call) if atom is not NONE]
        functions = [
            atom.func if isinstance(atom, Bound) else atom for atom in atoms if isinstance(atom, (Func, Bound))
        ]
        plain = any(func.role is Role.PLAIN for func in functions)
        if not atoms or plain or not all(makes_coroutine(program, atom) for atom in atoms):
            return None
        if cls.of_forgotten_handle(program, call):
            lost = not is_awaited(program, program.value(call.unit, call.node))
        else:
            lost = is_lost(program, call.unit, call.node)
        if not lost:
            return None
        message = f"nothing awaits `{ast.unparse(call.node.func)}(...)`, so it never runs"
        if not call.context.on_loop:
            return Draft(cls, call, message, reason=cls.advice(program, call, synchronous_form=not functions))
        remedy = awaited(program, call)
        return Draft(cls, call, message, remedy.edits, remedy.reason, "what has never run begins to run")

    @staticmethod
    def of_forgotten_handle(program: Program, call: CallSite) -> bool:
        """Whether it is a method of a handle that is not there yet: what starts the workflow is not awaited."""
        func = call.node.func
        return isinstance(func, ast.Attribute) and any(
            isinstance(atom, Coro) for atom in program.value(call.unit, func.value)
        )

    @staticmethod
    def advice(program: Program, call: CallSite, *, synchronous_form: bool) -> str:
        """What to do where nothing can be awaited."""
        function = program.enclosing(call.unit, call.context)
        if function is None:
            where = "move it into a coroutine"
        elif isinstance(function.node, ast.Lambda):
            where = "make a coroutine function of the lambda"
        else:
            where = f"make `{function.name}` a coroutine"
        return f"synchronous code cannot await: {where}" + ", or use the synchronous form" * synchronous_form
