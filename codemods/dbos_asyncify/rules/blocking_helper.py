"""DBA106: a coroutine calls a plain function that stops the event loop, or raises on it."""

from __future__ import annotations

from dbos_asyncify.rules.base import Rule


class BlockingHelper(Rule):
    """A coroutine calls a plain function that stops the event loop, or raises on it.

    ## What it does
    Finds calls of synchronous functions of the project, on the event loop, whose body (or what that calls, through
    however many functions, methods and modules) makes a synchronous DBOS call, waits for a handle, or runs a
    synchronous step, transaction or workflow. The finding tells the chain of calls.

    ## Why
    The loop does not see that a function stands between: the DBOS call raises `RuntimeError` as it would in the
    coroutine itself, or stops every other coroutine of the process.

    ## Example
    ```python
    def notify(customer: str) -> None:
        DBOS.send(customer, "your order is on its way")

    @DBOS.workflow()
    async def place_order(customer: str) -> None:
        notify(customer)
    ```

    ## Instead
    ```python
    async def notify(customer: str) -> None:
        await DBOS.send_async(customer, "your order is on its way")

    @DBOS.workflow()
    async def place_order(customer: str) -> None:
        await notify(customer)
    ```

    ## Fix safety
    Safe in sequential code. Where every reference to the function in the whole project is a call in a coroutine, or in
    a function that becomes one with it, it becomes a coroutine function: its body is converted and all its calls
    are awaited, in one fix. Otherwise (synchronous code calls it too, it is handed on as a value, overridden, decorated
    by something that is not known, it or its class in `__all__`, a constructor) its body stays as it is and the call
    goes to a thread: `await asyncio.to_thread(notify, customer)`. With `--helpers thread` all go to threads.
    Unsafe where the coroutine runs beside others of its workflow and the steps would be numbered in another order; no
    fix where only a thread would do there. No fix where a thread does not help: generators, context managers,
    properties and other functions that run without being called by name; functions that use the running event loop
    or set context variables; where `await` cannot stand; where what is called can also be something else.
    """

    code = "DBA106"
