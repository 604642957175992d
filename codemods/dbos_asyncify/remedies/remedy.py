"""The edits that make a blocking call asynchronous: its async form, or a thread."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from dbos_asyncify.edits import AddAwait, Edit, FromThread, Import, RenameCall, ToThread
from dbos_asyncify.findings import Safety
from dbos_asyncify.project.facts import Facts
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import Ext
from dbos_asyncify.remedies.placement import placement


@dataclass(frozen=True, slots=True)
class Remedy:
    """`edits`, or the `reason` why there are none. `in_thread` where the call goes to a thread."""

    edits: tuple[Edit, ...] = ()
    reason: str = ""
    in_thread: bool = False


def async_form(program: Program, call: CallSite, old: str, new: str) -> Remedy:
    """`call` by the name of its async form, awaited. Where the callee has another name here, a thread."""
    func = call.node.func
    spelled = func.attr if isinstance(func, ast.Attribute) else None
    if spelled != old:
        return in_thread(program, call)
    return _awaited(program, call, (RenameCall(call.span, old, new),))


def in_thread(program: Program, call: CallSite) -> Remedy:
    """`call` through `asyncio.to_thread`, awaited."""
    spelling, imports = to_thread_spelling(program, call)
    remedy = _awaited(program, call, (ToThread(call.span, spelling, imports),))
    return Remedy(remedy.edits, remedy.reason, in_thread=True)


def safety_of(program: Program, call: CallSite, *, in_thread: bool) -> Safety:
    """Unsafe where the call runs beside others of its workflow and its steps would be numbered in another order.

    A thread draws their numbers at any time; an asynchronous form only changes the order of several.
    """
    concurrency = program.concurrency
    other_order = concurrency.runs_beside if in_thread else concurrency.interleaves
    return Safety.UNSAFE if other_order(*call.function_key) else Safety.SAFE


def awaited(program: Program, call: CallSite) -> Remedy:
    """`call` as it is, awaited: what it calls has become asynchronous."""
    return _awaited(program, call, ())


def out_of_thread(program: Program, call: CallSite, *, dropped: bool) -> Remedy:
    """`asyncio.to_thread(f, ...)` as `f(...)`; awaited here where its result is `dropped`, else where it is now."""
    edits = (FromThread(call.span),)
    return _awaited(program, call, edits) if dropped else Remedy(edits)


def _awaited(program: Program, call: CallSite, edits: tuple[Edit, ...]) -> Remedy:
    place = placement(program, call)
    if place.obstacle:
        return Remedy(reason=place.obstacle)
    if place.awaited:
        return Remedy(edits)
    return Remedy((*edits, AddAwait(call.span), *place.brackets))


def to_thread_spelling(program: Program, call: CallSite) -> tuple[str, Import | None]:
    """How to say `asyncio.to_thread` at this call, and the import that it takes."""
    facts = call.unit.facts
    function = program.enclosing(call.unit, call.context)
    scope = function.scope if function else 0
    for wanted, suffix in (("asyncio", ".to_thread"), ("asyncio.to_thread", "")):
        for home, name in _imported_as(program, call, wanted):
            owner = owner_of(facts.scopes, scope, name)
            if home == max(owner, 0) and (owner < 0 or _imported_before(facts, scope, name, call.node)):
                return name + suffix, None
    if owner_of(facts.scopes, scope, "asyncio") < 0 and (0, "asyncio") not in facts.cells:
        return "asyncio.to_thread", Import("asyncio")
    if _only_for_types(facts) and owner_of(facts.scopes, scope, "asyncio") < 0:
        return "asyncio.to_thread", Import("asyncio")
    alias = next(name for name in ("_asyncio", "_aio", "_asyncio_") if _is_free(facts, name))
    return f"{alias}.to_thread", Import("asyncio", alias)


def _imported_as(program: Program, call: CallSite, path: str) -> list[tuple[int, str]]:
    """The names that imports give to something of the standard library, each with its scope."""
    unit = call.unit
    names = []
    for (home, name), definitions in unit.facts.cells.items():
        atoms = {atom for node in definitions for atom in program.values.value(unit.number, node)}
        aliases = [unit.facts.nodes[node] for node in definitions]
        if atoms == {Ext(path)} and all(isinstance(alias, ast.alias) for alias in aliases):
            if not any(_for_types(unit.facts, alias) for alias in aliases if alias is not None):
                names.append((home, name))
    return names


def _imported_before(facts: Facts, scope: int, name: str, node: ast.AST) -> bool:
    """Whether the function's own import of `name` stands above `node`, and always runs."""
    if owner_of(facts.scopes, scope, name) != scope:
        return False
    for definition in facts.cells.get((scope, name), ()):
        alias = facts.nodes[definition]
        statement = facts.parents[alias] if isinstance(alias, ast.alias) else None
        if statement is None or not isinstance(facts.parents[statement], (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        if getattr(statement, "lineno", 0) >= getattr(node, "lineno", 0):
            return False
    return True


def _for_types(facts: Facts, alias: ast.AST) -> bool:
    """Whether an import stands under `if TYPE_CHECKING:`, or anywhere that does not always run."""
    node = facts.parents[facts.parents[alias]]
    return not isinstance(node, (ast.Module, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef))


def _only_for_types(facts: Facts) -> bool:
    nodes = [facts.nodes[definition] for definition in facts.cells.get((0, "asyncio"), ())]
    return all(isinstance(node, ast.alias) and node.name == "asyncio" for node in nodes)


def _is_free(facts: Facts, name: str) -> bool:
    return all(name not in scope.bound for scope in facts.scopes)
