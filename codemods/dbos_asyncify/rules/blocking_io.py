"""DBA115: a workflow talks to the world itself, and waits for the answer on the event loop."""

from __future__ import annotations

import ast

from dbos_asyncify.project import library
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Ext
from dbos_asyncify.rules.base import Draft, Rule


class BlockingIO(Rule):
    """Blocking input or output in the body of an asynchronous workflow.

    ## What it does
    Finds calls of `requests`, `httpx` (its synchronous part), `urllib`, `urllib3`, `http.client`, `subprocess`,
    `os.system`, `socket.create_connection`, `input` and the like that stand directly in an asynchronous workflow, or
    in a coroutine that one calls.

    ## Why
    The call stops every other coroutine of the process until the answer is there. And it is no step: when the
    workflow is recovered, it runs once more, and may give something else.

    ## Example
    ```python
    @DBOS.workflow()
    async def invoice(url: str) -> str:
        rate = requests.get(url).text
        return await render(rate)
    ```

    ## Instead
    ```python
    @DBOS.step()
    def fetch_rate(url: str) -> str:
        return requests.get(url).text

    @DBOS.workflow()
    async def invoice(url: str) -> str:
        rate = await asyncio.to_thread(fetch_rate, url)
        return await render(rate)
    ```

    ## Fix safety
    Manual: what belongs into the step together with the call is not for a tool to say, and a workflow with a new
    step records another history.
    """

    code = "DBA115"
    blocks = False
    precedence = -1  # what is wrong is that it stands in a workflow, not that somebody awaits it

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        atoms = [atom for atom in call.callee if atom is not NONE]
        if not atoms or not all(isinstance(atom, Ext) and atom.path in library.BLOCKING_IO for atom in atoms):
            return None
        if call.function_key not in program.concurrency.workflow_code:
            return None
        shown = ast.unparse(call.node.func)
        message = f"`{shown}` in workflow code stops the event loop, and runs again when the workflow is recovered"
        reason = (
            "move it into a step, whose result is recorded: a synchronous one is called with "
            "`await asyncio.to_thread(step, ...)`"
        )
        return Draft(cls, call, message, reason=reason)
