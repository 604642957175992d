"""DBA114: a transaction decorator for plain functions on a coroutine function, or the other way round."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import Program, Spot, Unit
from dbos_asyncify.project.values import Api, Atom, Bound, Decorator, Func, Role
from dbos_asyncify.rules.base import Draft, Rule


class WrongColourDecorator(Rule):
    """A transaction decorator is on the wrong kind of function.

    ## What it does
    Finds `@DBOS.transaction()` (before dbos 3) and the `transaction` of a `SQLAlchemyDatasource` on `async def`, and
    the `transaction` of an `AsyncSQLAlchemyDatasource` on `def`; the same where they are called with the function.

    ## Why
    It is an error as soon as the decorator is applied: the module cannot be imported.

    ## Example
    ```python
    @ds.transaction()  # of a SQLAlchemyDatasource
    async def add_order(item: str) -> None:
        ds.sql_session().execute(insert(orders).values(item=item))
    ```

    ## Instead
    ```python
    @ads.transaction()  # of an AsyncSQLAlchemyDatasource
    async def add_order(item: str) -> None:
        await ads.sql_session().execute(insert(orders).values(item=item))
    ```

    ## Fix safety
    Manual: whether the function or the datasource is of the wrong kind is for a person to say, and the body must
    change with it.
    """

    code = "DBA114"
    blocks = False

    @classmethod
    def check_unit(cls, program: Program, unit: Unit) -> Iterable[Draft]:
        for function in unit.facts.functions:
            owner = refused_by(program, unit, function)
            if owner:
                decorator = unit.facts.nodes[function.decorators[0]]
                assert isinstance(decorator, ast.expr)
                yield from cls.drafts(program, unit, decorator, owner, function.name)
        for node in unit.facts.numbers:
            if isinstance(node, ast.Call):
                owner = _owner(program.value(unit, node.func))
                given = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "func")]
                if (
                    owner
                    and given
                    and all(_refuses(owner, function) for function in _functions(program, unit, given[0]))
                ):
                    yield from cls.drafts(program, unit, node, owner, ast.unparse(given[0]))

    @classmethod
    def drafts(cls, program: Program, unit: Unit, node: ast.expr, owner: str, name: str) -> Iterator[Draft]:
        """The finding at `node`; none where an error is expected."""
        number = unit.facts.numbers[node]
        spot = Spot(unit, node, number, unit.facts.contexts[number])
        kind, other = ("plain", "coroutine") if _wants_coroutine(owner) else ("coroutine", "plain")
        message = f"`{owner}.transaction` takes no {kind} function such as `{name}`: an error when it is applied"
        reason = f"make `{name}` a {other} function"
        if _wants_coroutine(owner):
            reason += " and await its session's calls, or use the transaction of a SQLAlchemyDatasource"
        elif not program.catalogue.has(owner, "transaction"):
            reason = f"dbos {program.version} has no `{owner}.transaction`: use that of an AsyncSQLAlchemyDatasource"
        else:
            reason += " (coroutines call it through asyncio.to_thread)"
            if "AsyncSQLAlchemyDatasource" in program.catalogue.classes():
                reason += ", or use the transaction of an AsyncSQLAlchemyDatasource"
        if not program.expects_error(unit, spot.context):
            yield Draft(cls, spot, message, reason=reason)


def refused_by(program: Program, unit: Unit, function: Function) -> str:
    """The class whose `transaction` decorates a function and does not take its kind; empty if none does.

    Only the innermost decorator is certain to get the function itself.
    """
    if not function.decorators:
        return ""
    owner = _owner(program.values.value(unit.number, function.decorators[0]))
    return owner if owner and _refuses(owner, function) else ""


def _owner(decorator: Iterable[Atom]) -> str:
    """The class that a decorator is the `transaction` of, if it is one and nothing else."""
    owners = set()
    for atom in decorator:
        if isinstance(atom, Decorator) and atom.role is Role.TRANSACTION:
            owners.add(atom.owner)
        elif isinstance(atom, Api) and atom.name == "transaction" and atom.owner != "DBOS":
            owners.add(atom.owner)  # without a call; `DBOS.transaction` itself takes no function
        else:
            return ""
    return owners.pop() if len(owners) == 1 else ""


def _functions(program: Program, unit: Unit, node: ast.expr) -> list[Function | None]:
    """The functions that an argument can be; None for anything else."""
    found: list[Function | None] = []
    for atom in program.value(unit, node):
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func) and (func.module, func.index) not in program.values.wrapped:
            found.append(program.function(func))
        else:
            found.append(None)
    return found or [None]


def _refuses(owner: str, function: Function | None) -> bool:
    if function is None:
        return False
    is_coroutine = function.is_async and not function.is_generator
    return is_coroutine is not _wants_coroutine(owner)


def _wants_coroutine(owner: str) -> bool:
    return owner.startswith("Async")
