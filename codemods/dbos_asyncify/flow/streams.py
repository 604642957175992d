"""`read_stream`: what its generator goes through must iterate asynchronously."""

from __future__ import annotations

import ast
from itertools import chain, count

from dbos_asyncify.edits import AsyncComprehension, AsyncFor, Collect, Edit, RenameCall
from dbos_asyncify.flow.uses import Use
from dbos_asyncify.project.program import CallSite, Program, Unit
from dbos_asyncify.project.values import Ext, Stream
from dbos_asyncify.remedies.placement import awaitable_in, bracket_of, consumer_of
from dbos_asyncify.remedies.remedy import is_of_dbos
from dbos_asyncify.source import span

_COLLECTORS = ("list", "tuple", "set")


def producer_edit(program: Program, call: CallSite) -> Edit | None:
    """The edit that makes the generator itself asynchronous; it is not awaited."""
    func = call.node.func
    if isinstance(func, ast.Attribute) and func.attr == "read_stream" and is_of_dbos(program, call):
        return RenameCall(call.span, "read_stream", "read_stream_async")
    return None


def consumer_edits(program: Program, use: Use) -> tuple[list[Edit], str]:
    """The edits that one use of a stream takes, or why there are none."""
    unit, node = use.unit, use.node
    value = program.value(unit, node)
    if not any(isinstance(atom, Stream) and not atom.is_async for atom in value):
        return [], _kept_inside(node)
    parent = unit.facts.parents[node]
    context = unit.facts.contexts[unit.facts.numbers[node]]
    shown = ast.unparse(node)
    if isinstance(parent, (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Expr, ast.IfExp)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [getattr(parent, "target", None)]
        named = all(target is None or isinstance(target, ast.Name) for target in targets)
        return (
            [],
            ""
            if named
            else f"the stream is stored in `{ast.unparse(targets[0] or node)}`: iterate over it where it is read",
        )
    if not all(isinstance(atom, Stream) for atom in value):
        return [], f"`{shown}` can also be something other than a stream"
    if isinstance(parent, ast.AsyncFor) and parent.iter is node:
        return [], ""
    if isinstance(parent, ast.For) and parent.iter is node:
        if not program.on_loop(unit, context) or context.trap:
            return [], "it is iterated in synchronous code"
        return [AsyncFor(span(parent, unit.source))], ""
    if isinstance(parent, ast.comprehension) and parent.iter is node:
        return _comprehension(program, unit, node, parent)
    if isinstance(parent, ast.Call) and parent.args == [node] and not parent.keywords:
        names = [a.path.removeprefix("builtins.") for a in program.value(unit, parent.func) if isinstance(a, Ext)]
        if len(names) == 1 and names[0] in _COLLECTORS and isinstance(parent.func, ast.Name):
            _, obstacle = awaitable_in(program, unit, context._replace(comprehensions=context.comprehensions + 1))
            if not program.on_loop(unit, context):
                obstacle = "it is collected in synchronous code"
            return ([], obstacle) if obstacle else ([Collect(span(parent, unit.source), _variable(unit))], "")
    if isinstance(parent, (ast.Call, ast.Starred)):
        taker = ast.unparse(parent.func) if isinstance(parent, ast.Call) else "*"
        return [], f"`{taker}` cannot take an asynchronous generator: write an `async for` loop"
    return (
        [],
        f"`{shown}` is used in a way that an asynchronous generator does not allow: write an `async for` loop",
    )


def _kept_inside(node: ast.expr) -> str:
    """A container that holds a stream: what comes out of it is not followed."""
    return f"the stream is kept in `{ast.unparse(node)}`: iterate over it where it is read"


def _comprehension(
    program: Program, unit: Unit, node: ast.expr, generator: ast.comprehension
) -> tuple[list[Edit], str]:
    whole = unit.facts.parents[generator]
    assert isinstance(whole, ast.expr)
    edits: list[Edit] = [] if generator.is_async else [AsyncComprehension(span(node, unit.source))]
    outer = unit.facts.contexts[unit.facts.numbers[whole]]
    if not program.on_loop(unit, outer):
        return [], "it is iterated in synchronous code"
    if isinstance(whole, ast.GeneratorExp):
        consumer = consumer_of(program, unit, whole)
        if consumer:
            return [], consumer
        edits.append(bracket_of(unit, whole))
    brackets, obstacle = awaitable_in(program, unit, outer._replace(comprehensions=outer.comprehensions + 1))
    return ([], obstacle) if obstacle else ([*edits, *brackets], "")


def _variable(unit: Unit) -> str:
    """A name for the values that the file does not use yet."""
    used = {child.id for child in ast.walk(unit.tree) if isinstance(child, ast.Name)}
    return next(name for name in chain(("value", "item"), map("value_{}".format, count(1))) if name not in used)
