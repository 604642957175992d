"""Where a handle goes that the configuration can declare harmless: nobody keeps it there, and nobody waits for it."""

from __future__ import annotations

import ast

from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.symbols import to_declare
from dbos_asyncify.project.values import NONE, UNKNOWN, Bound, Ext, Func


def is_harmless(program: Program, unit: Unit, node: ast.expr) -> bool:
    """Whether what gets the value of `node` where it stands is declared harmless."""
    taker = _taker(program, unit, node) if program.declared else None
    return taker is not None and program.declaration(unit, taker) == "harmless"


def advice(program: Program, unit: Unit, node: ast.expr) -> str:
    """What a declaration would do for a value that goes out of sight where `node` stands; empty if nothing."""
    taker = _taker(program, unit, node)
    if taker is None or _is_read(program, unit, taker):
        return ""
    called = isinstance(unit.facts.parents[taker], ast.Call)
    return _line(program, unit, taker, f"if {'that neither keeps nor' if called else 'nobody there'} waits for it")


def other_wait(program: Program, unit: Unit, call: ast.Call) -> str:
    """What a declaration would do for a call that may wait for a handle; empty if nothing."""
    return _line(program, unit, call.func, "if it waits for something else")


def blocking_advice(program: Program, unit: Unit, func: ast.expr) -> str:
    """What a declaration would do for a call of something that may be unknown; empty if nothing."""
    name = program.symbol(unit, func)
    if name is None:
        return ""
    choices = " or ".join(to_declare([name], kind) for kind in ("blocking", "harmless"))
    return f"; say what it is in [tool.dbos-asyncify]: {choices}"


def _line(program: Program, unit: Unit, node: ast.expr, condition: str) -> str:
    name = program.symbol(unit, node)
    return "" if name is None else f"; {condition}, say so in [tool.dbos-asyncify]: {to_declare([name], 'harmless')}"


def _taker(program: Program, unit: Unit, node: ast.expr) -> ast.expr | None:
    """The function that gets a value as an argument, be it in a thread, or the place where it is stored."""
    parents = unit.facts.parents
    child: ast.AST = node
    if isinstance(parents[child], (ast.Starred, ast.keyword)):
        child = parents[child]
    parent = parents[child]
    if isinstance(parent, ast.Call) and child is not parent.func:
        callee = program.value(unit, parent.func)
        in_thread = any(isinstance(atom, Ext) and atom.path == "asyncio.to_thread" for atom in callee)
        return parent.args[0] if in_thread and parent.args and child is not parent.args[0] else parent.func
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        (target,) = parent.targets
        if isinstance(target, ast.Subscript):
            return target.value
        return target if isinstance(target, ast.Attribute) else None
    return None


def _is_read(program: Program, unit: Unit, taker: ast.expr) -> bool:
    """Whether the tool sees by itself what becomes of the value."""
    for atom in program.value(unit, taker):
        func = atom.func if isinstance(atom, Bound) else atom
        unsure = isinstance(func, Func) and (func.module, func.index) in program.values.wrapped
        if not unsure and not isinstance(func, Ext) and func not in (NONE, UNKNOWN):
            return True
    return False
