"""DBA113: a coroutine function is handed to a thread."""

from __future__ import annotations

import ast

from dbos_asyncify.project import library
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Bound, Coro, Ext, Func, Role
from dbos_asyncify.remedies.awaits import is_awaited, is_lost
from dbos_asyncify.remedies.callee import makes_coroutine
from dbos_asyncify.remedies.remedy import out_of_thread
from dbos_asyncify.rules.base import Draft, Effect, Rule

_EXECUTORS = ("asyncio.", "concurrent.futures.")
_PLACES = {"run_in_executor": 1, "threading.Timer": 1}  # of the function among the arguments, where not the first
_KEYWORDS = ("target", "function", "func")
_PLAIN_CALLEES = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


class ToThreadOfCoroutine(Rule):
    """A coroutine function is handed to a thread.

    ## What it does
    Finds `asyncio.to_thread(f, ...)`, `run_in_executor` and other ways into a thread where `f` is a coroutine
    function of the project or an asynchronous form of DBOS, and nothing awaits the coroutine that comes out.

    ## Why
    Nothing ever runs: calling `f` in the thread only makes a coroutine, which comes back as the result.

    ## Example
    ```python
    @DBOS.step()
    async def charge(order: int) -> str: ...

    @DBOS.workflow()
    async def checkout(order: int) -> None:
        await asyncio.to_thread(charge, order)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def checkout(order: int) -> None:
        await charge(order)
    ```

    ## Fix safety
    Unsafe: what has never run begins to run, on the event loop. No fix for other ways into a thread than
    `asyncio.to_thread`, where `await` cannot stand, and where the arguments are not plain to see.
    """

    code = "DBA113"
    blocks = False
    precedence = -1  # what is wrong is the function, not that a thread is awaited
    anywhere = True

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        path = cls.thread_of(call)
        function = cls.function_of(call.node, path) if path else None
        atoms = [atom for atom in program.value(call.unit, function) if atom is not NONE] if function else []
        if function is None or not atoms or not all(makes_coroutine(program, atom) for atom in atoms):
            return None
        value = program.value(call.unit, call.node)
        given = [atom for own in value if isinstance(own, Coro) for atom in program.values.awaits_to(own.site)]
        if is_awaited(program, frozenset(given)):
            return None
        shown = ast.unparse(function)
        message = f"`{ast.unparse(call.node.func)}` of the coroutine function `{shown}` runs nothing of it"
        if path != "asyncio.to_thread":
            advice = f"await `{shown}(...)` itself, or start it with asyncio.create_task"
            return Draft(cls, call, message, reason=advice)
        if not isinstance(function, _PLAIN_CALLEES):
            return Draft(cls, call, message, reason=f"call and await `{shown}` here instead")
        dropped = is_lost(program, call.unit, call.node)
        if dropped and not call.context.on_loop:
            return Draft(cls, call, message, reason="synchronous code cannot await: make it a coroutine")
        remedy = out_of_thread(program, call, dropped=dropped)
        functions = [atom.func if isinstance(atom, Bound) else atom for atom in atoms]
        plain = any(isinstance(func, Func) and func.role is Role.PLAIN for func in functions)
        effect = Effect(f"what never ran runs now, and is recorded{' if it runs steps' if plain else ''}", not plain)
        return Draft(cls, call, message, remedy.edits, remedy.reason, "what has never run begins to run", effect)

    @staticmethod
    def thread_of(call: CallSite) -> str:
        """The path of the way into a thread that is certainly called here; empty for none."""
        atoms = [atom for atom in call.callee if atom is not NONE]
        paths = {atom.path if isinstance(atom, Ext) else "" for atom in atoms}
        path = paths.pop() if len(paths) == 1 else ""
        pool = library.last_name(path) in library.THREAD_METHODS and path.startswith(_EXECUTORS)
        return path if path in library.THREAD or pool else ""

    @staticmethod
    def function_of(node: ast.Call, path: str) -> ast.expr | None:
        """The argument that the thread would call."""
        position = _PLACES.get(path, _PLACES.get(library.last_name(path), 0))
        if any(isinstance(argument, ast.Starred) for argument in node.args[: position + 1]):
            return None
        if path == "threading.Thread" or len(node.args) <= position:
            return next((word.value for word in node.keywords if word.arg in _KEYWORDS), None)
        return node.args[position]
