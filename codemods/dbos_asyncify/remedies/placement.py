"""Whether a call can be awaited where it stands, and whether somebody awaits it already."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass

from dbos_asyncify.edits import Bracket, anchor
from dbos_asyncify.project import library
from dbos_asyncify.project.facts import Context
from dbos_asyncify.project.program import Program, Spot, Unit
from dbos_asyncify.project.values import DATA, Api, Ext
from dbos_asyncify.remedies.locks import LOCKED, acquired_before, holds_lock
from dbos_asyncify.source import span

_DISPLAYS = (ast.List, ast.Tuple, ast.Set, ast.Starred, ast.IfExp)
_SHOWS_SOURCE = re.compile(r"\s*=\s*[!:}]")


@dataclass(frozen=True, slots=True)
class Placement:
    """`awaited`: an `await` or something like `gather` takes what the call gives. `obstacle`: why it cannot be
    awaited here. `brackets`: the generator expressions that must become lists first."""

    awaited: bool
    concurrently: bool = False
    obstacle: str = ""
    brackets: tuple[Bracket, ...] = ()


def placement(program: Program, call: Spot) -> Placement:
    """Look outwards from a call, or from an attribute that becomes one."""
    unit = call.unit
    takes = taker(program, unit, call.node)
    if takes is not None:
        return Placement(awaited=True, concurrently=takes != "await")
    if _shows_its_source(unit, call.node):
        return Placement(False, obstacle="the f-string also prints the text of the call, which would change")
    if isinstance(unit.facts.parents.get(call.node), ast.pattern):
        return Placement(False, obstacle="a pattern cannot await: compute the value before the match statement")
    brackets, obstacle = awaitable_in(program, unit, call.context)
    if not obstacle and acquired_before(program, call):
        obstacle = LOCKED
    return Placement(False, obstacle=obstacle, brackets=brackets)


def awaitable_in(program: Program, unit: Unit, context: Context) -> tuple[tuple[Bracket, ...], str]:
    """What must be done so that an `await` can stand in this context: brackets to add, or why it cannot."""
    if context.trap == "class body":
        return (), "a class body cannot await: compute the value before the class"
    if context.trap == "lambda":
        return (), "a lambda cannot await: make it a coroutine function, or compute the value before"
    if any(holds_lock(program, program.values.value(unit.number, number)) for number in context.withs):
        return (), LOCKED
    brackets: list[Bracket] = []
    # The result has to compile on the running Python too: that is part of its proof.
    if context.comprehensions > 1 and min(program.target_python or (3, 10), sys.version_info[:2]) < (3, 11):
        return (), (
            "Python before 3.11 cannot await in a comprehension inside another one: use a loop, "
            "or state requires-python >= 3.11"
        )
    while context.generator >= 0:
        generator = unit.facts.nodes[context.generator]
        assert isinstance(generator, ast.GeneratorExp)
        consumer = consumer_of(program, unit, generator)
        if consumer:
            return (), consumer
        brackets.append(bracket_of(unit, generator))
        context = unit.facts.contexts[context.generator]
    return tuple(brackets), ""


def bracket_of(unit: Unit, generator: ast.GeneratorExp) -> Bracket:
    """The edit that makes a list comprehension of a generator expression."""
    last = generator.generators[-1]
    end = (last.ifs or [last.iter])[-1].end_lineno or 0
    return Bracket(span(anchor(generator), unit.source), (end, generator.end_lineno or end))


def consumer_of(program: Program, unit: Unit, generator: ast.GeneratorExp) -> str:
    """Empty where a generator expression is used up in full where it stands; else why it cannot become a list."""
    parent = unit.facts.parents[generator]
    starred = isinstance(parent, ast.Starred)
    if starred:
        parent = unit.facts.parents[parent]
    if starred and isinstance(parent, ast.Call):
        return ""  # unpacked at once
    if isinstance(parent, ast.Call) and parent.args and parent.args[0] is generator:
        later = [*parent.args[1:], *(word.value for word in parent.keywords)]
        if any(isinstance(node, (ast.Call, ast.Await)) for argument in later for node in ast.walk(argument)):
            return "the other arguments would be evaluated after the calls instead of before: make the list first"
        callee = program.value(unit, parent.func)
        names = {library.last_name(atom.path) for atom in callee if isinstance(atom, Ext)}
        if callee == {DATA} and isinstance(parent.func, ast.Attribute) and parent.func.attr == "join":
            return ""
        if names and len(names) == len(callee) and names <= library.CONSUMES_ALL:
            return ""
        shown = ast.unparse(parent.func)
        if names & {"any", "all", "next"}:
            return f"{shown}() stops early, a list would run every call: write a loop"
        return f"the generator expression is passed on to {shown}(), which may run it later or in part"
    if isinstance(parent, (ast.For, ast.AsyncFor)):
        return "the loop over the generator expression may stop early: put the call into the loop's body"
    return "the generator expression is kept and runs later: make it a list, or an asynchronous generator"


def taker(program: Program, unit: Unit, node: ast.expr) -> str | None:
    """What awaits the value of `node` where it stands: "await", the name of a function, or None."""
    child: ast.AST = node
    while True:
        parent = unit.facts.parents.get(child)
        if isinstance(parent, ast.Await):
            return "await" if child is node or isinstance(child, ast.IfExp) else None
        if isinstance(parent, ast.IfExp) and child is parent.test:
            return None
        if isinstance(parent, _DISPLAYS):
            child = parent
            continue
        if isinstance(parent, (ast.ListComp, ast.SetComp, ast.GeneratorExp)) and child is parent.elt:
            child = parent
            continue
        if isinstance(parent, ast.Call) and child in parent.args:
            return taker_name(program, unit, parent, child)
        return None


def taker_name(program: Program, unit: Unit, call: ast.Call, argument: ast.AST) -> str | None:
    """The name of the callee, if it awaits what it is given as this argument."""
    for atom in program.value(unit, call.func):
        if isinstance(atom, Api) and atom.name == "asyncio_wait":
            return atom.name
        if isinstance(atom, Ext) and atom.path.startswith(("asyncio.", "anyio.")):
            name = library.last_name(atom.path)
            if name == "gather" or (name in library.TAKES_AWAITABLE and argument is call.args[0]):
                return name
    return None


def _shows_its_source(unit: Unit, node: ast.AST) -> bool:
    """Whether the call is inside `f"{…=}"`."""
    child = node
    while isinstance(child, ast.expr):
        parent = unit.facts.parents.get(child)
        if isinstance(parent, ast.FormattedValue) and child is parent.value:
            assert isinstance(child, ast.expr)
            end = span(child, unit.source)
            rest = unit.source.lines[end.end_line - 1][end.end_column :].lstrip(") \t")
            if _SHOWS_SOURCE.match(rest):
                return True
        if parent is None:
            return False
        child = parent
    return False
