"""DBA201: coroutines of one workflow run beside each other and draw several steps, numbered in any order."""

from __future__ import annotations

import ast
from dataclasses import replace

from dbos_asyncify.findings import Place
from dbos_asyncify.project.branches import Branch
from dbos_asyncify.project.draws import call_of, calls_its_first, function_of, is_out_of_order
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.spans import begin
from dbos_asyncify.project.values import Coro, Func, Role
from dbos_asyncify.remedies.child_workflow import ChildWorkflow, Located
from dbos_asyncify.rules.base import Draft, Effect, Rule
from dbos_asyncify.rules.concurrent_get_result import is_result


class InterleavedSteps(Rule):
    """Coroutines of several steps each run beside others of the same workflow.

    ## What it does
    Finds `asyncio.gather`, `create_task`, `TaskGroup` and the like in workflow code, where one of the coroutines runs
    two or more steps, or waits for something that is no step before it runs one, while others run steps too.

    ## Why
    DBOS numbers the steps of a workflow in the order in which they start, and finds them by their numbers when the
    workflow is recovered. The second step of a coroutine starts when its first is done: before or after those of the
    others, as it happens. Recovery ends in `DBOSUnexpectedStepError` then, or hands one coroutine the result of
    another.

    ## Example
    ```python
    @DBOS.workflow()
    async def onboard(user: str) -> None:
        async def account() -> None:
            await create_account(user)
            await send_welcome(user)

        async def billing() -> None:
            await create_customer(user)
            await start_trial(user)

        await asyncio.gather(account(), billing(), return_exceptions=True)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def account(user: str) -> None:
        await create_account(user)
        await send_welcome(user)


    @DBOS.workflow()
    async def billing(user: str) -> None:
        await create_customer(user)
        await start_trial(user)


    @DBOS.workflow()
    async def onboard(user: str) -> None:
        await asyncio.gather(account(user), billing(user), return_exceptions=True)
    ```

    ## Fix safety
    Unsafe: the sequences become child workflows, each with a history of its own; what they use of the function around
    them becomes their parameters. Runs in flight that have begun them cannot be continued by the new code. No fix where
    such a variable is assigned or changed inside, where it is not known to be serialisable (sessions, locks, `self`),
    for methods, where the function is called outside workflows too, and before dbos 2.10.
    """

    code = "DBA201"
    blocks = False
    effect = Effect("each sequence becomes a child workflow, which records its steps: other steps here")
    besides = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        beside = program.branches.beside.get(call.site)
        if beside is None:
            return None
        found = [branch for branch in beside.handed if _is_sequence(program, branch) and beside.races(branch)]
        if not found:
            return None
        found = [sequence for branch in found for sequence in _sequences(program, branch)]
        shown = ast.unparse(call.node.func)
        message = f"`{shown}` runs sequences of steps side by side: how the steps are numbered depends on timing"
        chain = tuple(_place(program, branch) for branch in sorted(found, key=lambda branch: begin(branch.call)))
        located: list[Located] = []
        children = [ChildWorkflow(program, call, branch) for branch in found]
        for child in children:
            edits, reason = child.remedy()
            if reason:
                return Draft(cls, call, message, reason=reason, chain=chain)
            located.extend(edits)
        return Draft(
            cls, call, message, tuple(edit for path, edit in located if path == call.path),
            caution="each sequence records its steps in a workflow of its own from now on",
            chain=chain,
            elsewhere=tuple((path, edit) for path, edit in located if path != call.path),
            children=frozenset(child.key for child in children),
        )  # fmt: skip


def _is_sequence(program: Program, branch: Branch) -> bool:
    """Whether it is one for this rule: threads and results of handles are for others."""
    return branch.out_of_order and not branch.in_thread and not is_result(program, branch)


def _sequences(program: Program, branch: Branch) -> list[Branch]:
    """The coroutine itself, or those that it is given, if they draw the steps: `limited(fetch_all(urls))`."""
    values, draws = program.values, program.concurrency.draws
    plain = [atom for atom in branch.callee if isinstance(atom, Func) and atom.role is Role.PLAIN]
    if any(is_out_of_order(draws.by_itself((func.module, func.index))) for func in plain):
        return [branch]
    unit = program.units[branch.maker[0]]
    given: list[Branch] = []
    for argument in branch.call.args:
        for atom in program.value(unit, argument):
            made = call_of(values, atom.site) if isinstance(atom, Coro) else None
            if made is not None and isinstance(atom, Coro) and is_out_of_order(draws.of_coroutines([atom])):
                home = program.units[atom.site.module]
                maker = function_of(values, atom.site) or branch.maker
                given.append(replace(branch, maker=maker, call=made, callee=program.value(home, made.func)))
    return given or [branch]


def _place(program: Program, branch: Branch) -> Place:
    unit = program.units[branch.maker[0]]
    what = "runs two or more steps" if branch.draws > 1 else "waits for something else before it runs its step"
    called = branch.call.func
    if branch.call.args and calls_its_first(program.value(unit, called)):
        called = branch.call.args[0]
    return program.place(unit, branch.call, f"`{ast.unparse(called)}` {what}")
