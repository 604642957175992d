"""How a value is used where it stands: followed on, waited for, looked at, or gone out of sight."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from dbos_asyncify.flow.declared import is_harmless
from dbos_asyncify.project import library
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.values import (
    DATA,
    NONE,
    Api,
    Atom,
    Bound,
    Box,
    BoxMethod,
    Cls,
    Coro,
    Ext,
    Func,
    Handle,
    HandleMethod,
    Module,
    Obj,
    Partial,
    Result,
    Role,
    Site,
    Stream,
    Value,
)

_CARRIERS = (Handle, Stream, Result, HandleMethod, Box, Coro)


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a value that came from `sites` is used; `escape` says how it goes out of sight."""

    unit: Unit
    node: ast.expr
    sites: frozenset[Site]
    escape: str = ""


def origins(values: Values, atoms: Iterable[Atom], *, awaited: bool = True) -> frozenset[Site]:
    """The calls that gave the handles, streams and results among these values or inside them.

    `awaited` looks into coroutines and tasks as well: what they give.
    """
    pending: list[Atom] = [atom for atom in atoms if isinstance(atom, _CARRIERS)]
    if not pending:
        return frozenset()
    found: set[Site] = set()
    seen: set[Atom] = set()
    while pending:
        atom = pending.pop()
        if atom in seen:
            continue
        seen.add(atom)
        match atom:
            case Handle(site, is_async, declared):
                if not is_async and not declared:
                    found.add(site)
            case Stream(site, is_async):
                if not is_async:
                    found.add(site)
            case Result(site):
                found.add(site)
            case HandleMethod(handle):
                pending.append(handle)
            case Box(site):
                pending.extend(values.contents(site))
            case Coro(site) if awaited:
                pending.extend(values.awaits_to(site))
    return frozenset(found)


class Uses:
    """Every place in a program where something that a call gave is read."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.places: list[tuple[Unit, ast.expr, Value, frozenset[Site]]] = []
        for unit in program.units.values():
            for node, number in unit.facts.numbers.items():
                if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
                    value = program.values.value(unit.number, number)
                    sites = origins(program.values, value)
                    if sites:
                        self.places.append((unit, node, value, sites))

    def of(self, sites: Container[Site]) -> Iterator[Use]:
        """The places where something that these calls gave is used."""
        for unit, node, value, found in self.places:
            wanted = frozenset(site for site in found if site in sites)
            if wanted:
                escape = "" if is_harmless(self.program, unit, node) else _escape(self.program, unit, node, value)
                yield Use(unit, node, wanted, escape)


def kept_sites(program: Program) -> frozenset[Site]:
    """The calls whose handles outlive their function: in attributes, module variables, parameters, results."""
    values = program.values
    kept: set[Atom] = values.in_attributes()
    for unit in program.units.values():
        facts, number = unit.facts, unit.number
        nodes = [node for definitions in facts.final.values() for node in definitions]
        nodes.extend(node for function in facts.functions for node in function.returns)
        for node in nodes:
            kept |= values.value(number, node)
        for function in facts.functions:
            for parameter in function.params:
                kept |= values.parameter(number, function.index, parameter.name)
    return origins(values, kept)


# Parents below which a value goes on as part of a value that is followed, or is only looked at.
_GOES_ON = (ast.List, ast.Tuple, ast.Set, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.GeneratorExp)
_LOOKED_AT = (
    ast.Expr, ast.Compare, ast.UnaryOp, ast.If, ast.While, ast.Assert, ast.FormattedValue, ast.Delete, ast.Slice,
    ast.match_case,
)  # fmt: skip


def _escape(program: Program, unit: Unit, node: ast.expr, value: Value) -> str:
    """How the value leaves what the tool can follow; empty where it does not."""
    parent = unit.facts.parents.get(node)
    shown = ast.unparse(node)
    if isinstance(parent, ast.Starred):
        node, parent = parent, unit.facts.parents.get(parent)
    itself = any(isinstance(atom, (Handle, Stream)) for atom in value)
    match parent:
        case ast.keyword():
            return _as_argument(program, unit, unit.facts.parents[parent], parent.value, shown)
        case ast.Attribute():
            return _attribute(program, unit, parent, value)
        case ast.Call():
            return "" if parent.func is node else _as_argument(program, unit, parent, node, shown)
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            return next(filter(None, (_stored(program, unit, target, itself=itself) for target in targets)), "")
        case ast.Return() | ast.Lambda():
            return _given_back(program, unit, node, "returned")
        case ast.Yield() | ast.YieldFrom():
            return _given_back(program, unit, node, "yielded")
        case ast.withitem():
            if not itself:
                return ""
        case ast.For() | ast.AsyncFor() | ast.comprehension():
            if not itself or node is not parent.iter:
                return ""
        case ast.Subscript():
            if node is parent.slice:
                return "" if isinstance(parent.ctx, ast.Load) else f"`{shown}` is the key of a dictionary"
            if not itself:
                return ""
        case ast.Await():
            if not itself or isinstance(node, ast.Call):
                return ""
        case ast.BinOp():
            if isinstance(parent.op, (ast.Add, ast.BitOr)):
                return ""
        case ast.Dict():
            if node in parent.values:
                return ""
        case ast.DictComp():
            if node is parent.value:
                return ""
    if isinstance(parent, (*_GOES_ON, *_LOOKED_AT)):
        return ""
    return f"`{shown}` is used in a way that the tool does not follow"


def _attribute(program: Program, unit: Unit, attribute: ast.Attribute, value: Value) -> str:
    """An attribute of a handle (only `get_result` and `get_status` matter, and only as calls), of a container, of a
    task."""
    shown = ast.unparse(attribute)
    if any(isinstance(atom, Coro) for atom in value) and attribute.attr in ("result", "add_done_callback"):
        return f"`{shown}` gives it to code that the tool does not follow"
    if any(isinstance(atom, Box) for atom in value) and attribute.attr not in library.CONTAINER_METHODS:
        return f"`{shown}` is not followed"
    methods = [a for a in program.value(unit, attribute) if isinstance(a, HandleMethod)]
    parent = unit.facts.parents.get(attribute)
    if not methods or (isinstance(parent, ast.Call) and parent.func is attribute):
        return ""
    if isinstance(parent, ast.Call) and thread_call(program, unit, parent) and parent.args[0] is attribute:
        return ""
    return f"`{shown}` is handed on without being called"


def thread_call(program: Program, unit: Unit, call: ast.Call) -> bool:
    """Whether a call is `asyncio.to_thread(...)`."""
    return any(isinstance(a, Ext) and a.path == "asyncio.to_thread" for a in program.value(unit, call.func))


def _as_argument(program: Program, unit: Unit, parent: ast.AST, argument: ast.expr, shown: str) -> str:
    if not isinstance(parent, ast.Call):
        return f"`{shown}` is given to the definition of a class"
    callee = [atom for atom in program.value(unit, parent.func) if atom is not NONE]
    given = f"`{shown}` is given to `{ast.unparse(parent.func)}`"
    if not callee:
        return f"{given}, which the tool cannot follow"
    return next((given + why for atom in callee if (why := _given_to(program, unit, parent, argument, atom))), "")


def _given_to(program: Program, unit: Unit, call: ast.Call, argument: ast.expr, atom: Atom) -> str:
    """What becomes of an argument of a call to `atom`; empty where it is followed, or only looked at."""
    match atom:
        case Api(name=name):
            return "" if name in ("wait_first", "wait_first_async", "asyncio_wait") else ", which would store it"
        case BoxMethod():
            return ""
        case Partial(site):
            inner = program.values.partial_of(site)
            return next(filter(None, (_given_to(program, unit, call, argument, found) for found in inner)), "")
        case Ext(path):
            return "" if _outside_is_fine(program, unit, call, argument, path) else ", which is not part of the project"
        case Func() | Bound():
            func = atom.func if isinstance(atom, Bound) else atom
            key = (func.module, func.index)
            function = program.function(func)
            if func.role is not Role.PLAIN:
                return f", a {func.role.value}, which would store it"
            if program.is_abstract(atom) and not any(program.overridden_by(program.units[func.module], function)):
                return ", which no class of the project implements"
            return ", which a decorator may call in another way" if key in program.values.wrapped else ""
        case Cls(module, index):
            made = Obj(module, index, exact=True)
            initialised = any(isinstance(a, Bound) for a in program.values.attribute(made, "__init__"))
            followed = initialised or program.values.fields(atom)
            return "" if followed else ", which keeps it where the tool does not follow"
        case HandleMethod():
            return ""
    return "" if atom is DATA else ", which the tool cannot follow"


def _outside_is_fine(program: Program, unit: Unit, call: ast.Call, argument: ast.expr, path: str) -> bool:
    name = library.last_name(path)
    if path.startswith("builtins."):
        if name in ("map", "filter"):
            mapped = program.value(unit, call.args[0])
            return all(isinstance(atom, (Func, Bound)) or atom in (NONE, DATA) for atom in mapped)
        return name in library.HARMLESS or name in library.FOLLOWED
    if path in ("asyncio.to_thread", "functools.partial"):
        own = call.args and argument is call.args[0]
        function = program.value(unit, call.args[0]) if call.args else ()
        return bool(own) or all(isinstance(atom, (Func, Bound)) for atom in function)
    if path.startswith(("asyncio.", "anyio.")):
        return name in library.PASS_AWAITABLE or name in ("gather", "as_completed")
    return name in library.LOG_METHODS or path in library.FOLLOWED_PATHS


def _stored(program: Program, unit: Unit, target: ast.expr, *, itself: bool) -> str:
    if isinstance(target, (ast.Tuple, ast.List)):
        if itself:
            return f"it is unpacked into `{ast.unparse(target)}`"
        return next(filter(None, (_stored(program, unit, part, itself=False) for part in target.elts)), "")
    if isinstance(target, ast.Starred):
        return _stored(program, unit, target.value, itself=itself)
    if isinstance(target, (ast.Attribute, ast.Subscript)):
        owner = program.value(unit, target.value)
        known = (Obj, Cls, Module) if isinstance(target, ast.Attribute) else (Box,)
        if not owner or not all(isinstance(atom, known) or atom is NONE for atom in owner):
            return f"it is stored in `{ast.unparse(target)}`, which the tool cannot follow"
        if isinstance(target, ast.Attribute) and any(program.is_property(atom, target.attr) for atom in owner):
            return f"it is stored in `{ast.unparse(target)}`, a property"
    return ""


def _given_back(program: Program, unit: Unit, node: ast.AST, how: str) -> str:
    number = unit.facts.contexts[unit.facts.numbers[node]].function if node in unit.facts.numbers else -1
    if number < 0:
        return ""
    function = unit.facts.functions[number]
    key = (unit.number, number)
    if program.role(key) is not Role.PLAIN:
        return f"it is {how} by the {program.role(key).value} `{function.name}`, so DBOS would store it"
    if function.cls >= 0 and function.name in program.read_of_unknown:
        return f"it is {how} by `{function.name}`, and a `{function.name}` of something unknown is used too"
    if key in program.values.escaped or key not in program.values.called:
        return f"it is {how} by `{function.name}`, whose callers are not all known"
    return ""
