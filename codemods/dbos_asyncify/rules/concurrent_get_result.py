"""DBA206: results of workflow handles are awaited side by side, and recorded as they come."""

from __future__ import annotations

import ast

from dbos_asyncify.project.branches import Beside, Branch
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import Func, HandleMethod, Role
from dbos_asyncify.remedies.sequence import in_sequence
from dbos_asyncify.rules.base import Draft, Effect, Rule

_TAKES_NO_ORDER = frozenset({"wait", "as_completed"})  # what DBA204 has its say about


class ConcurrentGetResult(Rule):
    """`get_result()` or `get_status()` of workflow handles is run side by side with others.

    ## What it does
    Finds `gather`, `create_task` and the like in workflow code that run `get_result()` or `get_status()` of
    asynchronous workflow handles beside other coroutines which draw steps: mostly other results.

    ## Why
    A result gets its number in the workflow's history when it arrives. Side by side that is the order in which the
    other workflows are done; when this one is recovered, they are all done, and the order can be another one. A status
    gets its number in the thread that looks it up, sooner or later.

    ## Example
    ```python
    @DBOS.workflow()
    async def totals(days: list[str]) -> list[int]:
        handles = [await DBOS.start_workflow_async(total, day) for day in days]
        return await asyncio.gather(*[handle.get_result() for handle in handles])
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def totals(days: list[str]) -> list[int]:
        handles = [await DBOS.start_workflow_async(total, day) for day in days]
        return [await handle.get_result() for handle in handles]
    ```

    ## Fix safety
    Unsafe: the results are recorded in the order of the handles from now on, and the first error is that of the first
    handle that failed. It takes no longer: the workflows run side by side as before. No fix where other coroutines are
    gathered with the results, with `return_exceptions=True`, or where the call is not awaited where it stands.
    """

    code = "DBA206"
    blocks = False
    effect = Effect("the results are recorded in the order of the handles", certain=False)
    besides = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        beside = program.branches.beside.get(call.site)
        if beside is None or beside.name in _TAKES_NO_ORDER:
            return None
        results = [branch for branch in beside.handed if is_result(program, branch) and beside.races(branch)]
        if not results:
            return None
        what = _what(results)
        message = f"`{ast.unparse(call.node.func)}` has {what} numbered as they arrive, in any order: each is a step"
        inside = next((branch for branch in results if not branch.is_result), None)
        if inside is not None:
            reason = f"`{ast.unparse(inside.call.func)}` waits for the handle: await one after the other"
            return Draft(cls, call, message, reason=reason)
        if beside.name != "gather" or len(results) < len(beside.branches):
            return Draft(cls, call, message, reason=cls.advice(beside, what))
        remedy = in_sequence(program, call)
        caution = f"the {what} are recorded in the order of the handles instead of that in which they arrived"
        return Draft(cls, call, message, remedy.edits, remedy.reason, caution)

    @staticmethod
    def advice(beside: Beside, what: str) -> str:
        if beside.name == "gather":
            return f"await the {what} one after the other, behind the `gather` of the rest"
        return f"await the {what} one after the other: the workflows run side by side all the same"


def _what(results: list[Branch]) -> str:
    """What the handles are asked for."""
    asked = {atom.name for branch in results for atom in branch.callee if isinstance(atom, HandleMethod)}
    if "get_status" in asked:
        return "results and statuses" if len(asked) > 1 else "statuses"
    return "results"


def is_result(program: Program, branch: Branch) -> bool:
    """Whether a coroutine waits for a workflow handle, directly or in a function that draws no other step."""
    if branch.is_result or branch.in_thread:
        return branch.is_result
    draws = program.concurrency.draws
    functions = [atom for atom in branch.callee if isinstance(atom, Func) and atom.role is Role.PLAIN]
    return bool(functions) and all(draws.only_results((func.module, func.index)) for func in functions)
