"""DBA204: which steps are done first is not recorded."""

from __future__ import annotations

import ast

from dbos_asyncify.project import library
from dbos_asyncify.project.draws import most
from dbos_asyncify.project.program import CallSite, Program, Unit
from dbos_asyncify.project.unordered import Unordered, draws_any
from dbos_asyncify.project.values import Box, Ext
from dbos_asyncify.remedies.remedy import instead
from dbos_asyncify.remedies.spelling import by_name
from dbos_asyncify.rules.base import Draft, Effect, Rule

_MAKES_LIST = frozenset({"builtins.list", "builtins.tuple", "builtins.sorted"})
_LIMITS = frozenset(
    {"asyncio.timeout", "asyncio.timeout_at", "async_timeout.timeout", "anyio.fail_after", "anyio.move_on_after"}
)


class NondurableWait(Rule):
    """`asyncio.wait`, `as_completed`, `wait_for` or `timeout` over steps of a workflow.

    ## What it does
    Finds `asyncio.wait`, `asyncio.as_completed` and `asyncio.wait_for` in workflow code over coroutines that run steps,
    and blocks of `asyncio.timeout` and the like that do.

    ## Why
    Which step is done first, or in time, is not recorded. When the workflow is recovered it can be another one: the
    workflow takes another way then, and asks for steps that were recorded in another order.

    ## Example
    ```python
    @DBOS.workflow()
    async def first_answer(question: str) -> str:
        tasks = [asyncio.create_task(ask(model, question)) for model in MODELS]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def first_answer(question: str) -> str:
        tasks = [asyncio.create_task(ask(model, question)) for model in MODELS]
        done, _ = await DBOS.asyncio_wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    ```

    ## Fix safety
    Unsafe: `DBOS.asyncio_wait` records which were done as a step of its own, so the numbers of the other steps change.
    It records them by their positions: no fix for a set (such as the `pending` of an earlier wait), which has none.
    `as_completed`, `wait_for` and `timeout` have no durable form: the reason says what to use. dbos before 2.15 has no
    `asyncio_wait`.
    """

    code = "DBA204"
    blocks = False
    effect = Effect("`DBOS.asyncio_wait` is recorded, `asyncio.wait` was not: one step more")
    besides = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        if call.function_key not in program.concurrency.workflow_code:
            return None
        shown = ast.unparse(call.node.func)
        paths = {atom.path for atom in call.callee if isinstance(atom, Ext)}
        names = {library.last_name(path) for path in paths if path.startswith(("asyncio.", "anyio."))}
        if names & {"wait", "as_completed"}:
            beside = program.branches.beside.get(call.site)
            if beside is None or not any(branch.draws for branch in beside.branches):
                return None
            message = f"which steps `{shown}` finds done is not recorded, and can differ when the workflow is recovered"
            if names == {"wait"}:
                return cls.durable(program, call, message)
            reason = (
                "the order of completion drives what follows: use `gather`, which keeps the order of the calls, or "
                "`DBOS.asyncio_wait`, which records what is done"
            )
            return Draft(cls, call, message, reason=reason)
        if _has_no_limit(call.node):
            return None
        if "wait_for" in names and call.node.args and cls.draws(program, call, [call.node.args[0]]):
            message = f"whether a step is done in time for `{shown}` is not recorded: a recovery may take another way"
            return Draft(cls, call, message, reason=cls.instead_of_limit(program))
        if paths & _LIMITS and (body := _block(call.unit, call.node)) and cls.draws(program, call, body):
            message = f"whether the steps under `{shown}` are in time is not recorded: a recovery may take another way"
            return Draft(cls, call, message, reason=cls.instead_of_limit(program))
        return None

    @classmethod
    def durable(cls, program: Program, call: CallSite, message: str) -> Draft:
        if not program.catalogue.has("DBOS", "asyncio_wait"):
            reason = "`DBOS.asyncio_wait` records what is done, from dbos 2.15 on"
            return Draft(cls, call, message, reason=reason)
        if not call.node.args or not _is_ordered(program, call.unit, call.node.args[0]):
            reason = (
                "`DBOS.asyncio_wait` records what is done by its place, and a set has none: keep a list of the tasks"
            )
            return Draft(cls, call, message, reason=reason)
        dbos, imports = by_name(program, call, "dbos", "DBOS")
        remedy = instead(program, call, f"{dbos}.asyncio_wait", imports)
        caution = "`DBOS.asyncio_wait` is recorded as a step, so later steps get other numbers"
        return Draft(cls, call, message, remedy.edits, remedy.reason, caution)

    @staticmethod
    def draws(program: Program, call: CallSite, nodes: list[ast.AST]) -> bool:
        """Whether something in these nodes draws a step."""
        draws = program.concurrency.draws
        given = (node for node in nodes if isinstance(node, ast.expr))
        tasks = any(most(draws.of_coroutines(program.value(call.unit, node))) for node in given)
        return tasks or draws_any(program, call.unit.number, nodes)

    @staticmethod
    def instead_of_limit(program: Program) -> str:
        """What to use in place of a time limit of asyncio."""
        workflow = "`SetWorkflowTimeout` limits a child workflow"
        if program.catalogue.version >= (2, 31):
            return f"`@DBOS.step(timeout_seconds=...)` limits a step, {workflow}"
        return f"{workflow}; limit what takes the time inside the step"


def _has_no_limit(call: ast.Call) -> bool:
    """Whether the time is None: `wait_for(f(), None)`, `timeout(None)`."""
    given = [*call.args[-1:], *(word.value for word in call.keywords)]
    return any(isinstance(value, ast.Constant) and value.value is None for value in given)


def _block(unit: Unit, call: ast.Call) -> list[ast.AST]:
    """The statements of the `async with` that the call stands in the head of."""
    item = unit.facts.parents.get(call)
    statement = unit.facts.parents.get(item) if isinstance(item, ast.withitem) else None
    return list(statement.body) if isinstance(statement, (ast.With, ast.AsyncWith)) else []


def _is_ordered(program: Program, unit: Unit, tasks: ast.expr) -> bool:
    """Whether tasks are given as a list or a tuple."""
    return not Unordered(program).is_so(unit.number, unit.facts.numbers[tasks]) and all(
        isinstance(atom, Box)
        and atom.site.node >= 0
        and _is_list(program, program.units[atom.site.module], atom.site.node)
        for atom in program.value(unit, tasks)
    )


def _is_list(program: Program, unit: Unit, number: int) -> bool:
    node = unit.facts.nodes[number]
    if isinstance(node, ast.Call):
        made = program.value(unit, node.func)
        return all(isinstance(atom, Ext) and atom.path in _MAKES_LIST for atom in made)
    return isinstance(node, (ast.List, ast.Tuple, ast.ListComp))
