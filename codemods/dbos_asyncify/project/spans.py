"""From where to where a task runs beside the function that made it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from dbos_asyncify.project.facts import Facts

Position = tuple[int, int]
FOREVER: Position = (sys.maxsize, 0)
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_MAYBE = (ast.If, ast.While, ast.ExceptHandler, ast.match_case, ast.IfExp)


def begin(node: ast.expr | ast.stmt) -> Position:
    return (node.lineno, node.col_offset)


def finish(node: ast.expr | ast.stmt) -> Position:
    return (node.end_lineno or 0, node.end_col_offset or 0)


def ancestors(facts: Facts, node: ast.AST) -> list[ast.AST]:
    """The nodes around `node` in its function, the nearest first."""
    found: list[ast.AST] = []
    here = facts.parents.get(node)
    while here is not None and not isinstance(here, _FUNCTIONS):
        found.append(here)
        here = facts.parents.get(here)
    return found


def loops_around(facts: Facts, node: ast.AST) -> set[ast.AST]:
    """The loops and comprehensions that evaluate `node` again and again."""
    found: set[ast.AST] = set()
    child = node
    for parent in ancestors(facts, node):
        once = isinstance(parent, (ast.For, ast.AsyncFor)) and child is parent.iter
        first = isinstance(child, ast.comprehension) and _is_first_source(parent, child, node, facts)
        if isinstance(parent, _LOOPS) and not once and not first:
            found.add(parent)
        child = parent
    return found


def _is_first_source(parent: ast.AST, child: ast.comprehension, node: ast.AST, facts: Facts) -> bool:
    """Whether `node` stands in the first iterable of a comprehension, which is evaluated once."""
    around = [node, *ancestors(facts, node)]
    generators: list[ast.comprehension] = getattr(parent, "generators", [])
    return bool(generators) and child is generators[0] and child.iter in around


def run_until(facts: Facts, taker: ast.Call, uses: Iterable[ast.expr]) -> tuple[Position, Position, set[ast.AST]]:
    """From when to when the task that `taker` makes runs, and the loops around the place where it is waited for.

    `uses` are the expressions that can be the task, or hold it. Without one that surely waits for it, it runs on.
    """
    around = loops_around(facts, taker)
    group = _task_group(facts, taker)
    end, loops = FOREVER, set[ast.AST]()
    if group is not None:
        end, loops = finish(group), loops_around(facts, group)
    for use in uses:
        joined = _joined(facts, taker, use)
        if joined is not None and joined[0] < end:
            end, loops = joined
    outer = [node for node in around - loops if isinstance(node, ast.stmt)]
    return min([begin(taker), *map(begin, outer)]), end, loops


def _joined(facts: Facts, taker: ast.Call, use: ast.expr) -> tuple[Position, set[ast.AST]] | None:
    """Where a use waits for the task, if it does so whatever happens between; and the loops around that place."""
    parent = facts.parents.get(use)
    node: ast.AST = use
    if isinstance(parent, ast.Starred):
        node, parent = parent, facts.parents.get(parent)
    waits = isinstance(parent, ast.Await)
    if isinstance(parent, ast.Call) and node in parent.args:
        waits = parent is not taker and isinstance(facts.parents.get(parent), ast.Await)
        node = parent
    if not waits or finish(use) < finish(taker) or not _same_function(facts, taker, use):
        return None
    around = ancestors(facts, use)
    before = set(ancestors(facts, taker))
    if any(isinstance(each, _MAYBE) and each not in before for each in around):
        return None
    end, loops = finish(use), loops_around(facts, use)
    for loop in loops - before:  # `for task in tasks: await task`
        if isinstance(loop, (ast.stmt, ast.expr)):
            end = max(end, finish(loop))
    shared = loops & before
    return end, shared


def _same_function(facts: Facts, one: ast.expr, other: ast.expr) -> bool:
    contexts = facts.contexts
    return contexts[facts.numbers[one]].function == contexts[facts.numbers[other]].function


def _task_group(facts: Facts, taker: ast.Call) -> ast.AsyncWith | None:
    """The `async with` that waits for the tasks of the group which `taker` makes one in."""
    func = taker.func
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
        return None
    for parent in ancestors(facts, taker):
        if isinstance(parent, ast.AsyncWith):
            names = [item.optional_vars for item in parent.items]
            if any(isinstance(name, ast.Name) and name.id == func.value.id for name in names):
                return parent
    return None
