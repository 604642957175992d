"""DBA203: `gather` over steps gives up at the first error, while the other steps go on."""

from __future__ import annotations

import ast

from dbos_asyncify.project.branches import Branch
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Api, Bound, Func, Role
from dbos_asyncify.rules.base import Draft, Rule


class GatherWithoutReturnExceptions(Rule):
    """`gather` over steps or child workflows without `return_exceptions=True`.

    ## What it does
    Finds `asyncio.gather(...)` in workflow code over at least two steps, asynchronous transactions, child workflows, or
    coroutines that run some, where `return_exceptions=True` is not among the arguments.

    ## Why
    With the first error `gather` raises, and the workflow goes on or ends, while the other steps are still running.
    Which of them are recorded by then is a matter of time, and what they gave is lost.

    ## Example
    ```python
    @DBOS.workflow()
    async def notify(users: list[str]) -> None:
        await asyncio.gather(*[send_mail(user) for user in users])
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def notify(users: list[str]) -> None:
        results = await asyncio.gather(*[send_mail(user) for user in users], return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
    ```

    ## Fix safety
    Manual: errors come back among the results then, and the code that follows has to look for them.
    """

    code = "DBA203"
    blocks = False
    besides = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        beside = program.branches.beside.get(call.site)
        if beside is None or beside.name != "gather" or _may_return_exceptions(call.node):
            return None
        branches = beside.branches
        if len(branches) < 2 and not any(branch.many for branch in branches):
            return None
        if not any(_runs_steps(program, branch) for branch in branches):
            return None
        shown = ast.unparse(call.node.func)
        message = f"`{shown}` raises the first error while the other steps are still running"
        reason = "add `return_exceptions=True`, and look for errors among the results"
        return Draft(cls, call, message, reason=reason)


def _may_return_exceptions(call: ast.Call) -> bool:
    """Whether errors come back as results, or may do so."""
    given = {word.arg: word.value for word in call.keywords}
    value = given.get("return_exceptions")
    return None in given or (value is not None and not (isinstance(value, ast.Constant) and not value.value))


def _runs_steps(program: Program, branch: Branch) -> bool:
    """Whether it is a step, a transaction, a workflow, or a coroutine of the project that runs some.

    What threads do is left to DBA202.
    """
    draws = program.concurrency.draws
    for atom in () if branch.in_thread else branch.callee:
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func):
            if func.role is not Role.PLAIN or (branch.draws and not draws.only_results((func.module, func.index))):
                return True
        elif isinstance(atom, Api) and atom.name == "run_step_async":
            return True
    return False
