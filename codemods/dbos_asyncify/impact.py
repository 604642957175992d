"""What the changes mean for workflows that are running: which get a new version, and what they have recorded so far."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dbos_asyncify.edits import AddDecorator, Hoist
from dbos_asyncify.findings import Change, Fix, History, Impact, Place, StepChange, WorkflowImpact
from dbos_asyncify.project.program import FunctionKey, Program
from dbos_asyncify.project.runs import Reach, Runs
from dbos_asyncify.project.texts import texts_of
from dbos_asyncify.project.values import Func, Role
from dbos_asyncify.source import from_bytes, parse

_SAME_CALLS = "the new calls record the same steps, in the same order"
_IN_STEPS = "what changes runs inside its steps, and is not recorded"


def impact_of(program: Program, changes: Sequence[Change], applied: Iterable[Fix]) -> Impact:
    """What these changes, made by the `applied` fixes, mean for the workflows of the program."""
    version = program.catalogue.version
    changed = frozenset(key for change in changes for key in _changed(program, change))
    if not changed:
        return Impact(version)
    runs = Runs(program)
    applied = list(applied)
    step_changes = [each for fix in applied for each in fix.step_changes]
    found = []
    for key, role in program.concurrency.roles.items():
        reach = runs.by(key) if role is Role.WORKFLOW else None
        if reach is not None and changed & (reach.own | reach.in_steps):
            found.append(_workflow(program, key, reach, changed, step_changes))
    order = list(History)
    found.sort(key=lambda workflow: (-order.index(workflow.history), workflow.path, workflow.line))
    return Impact(version, tuple(found), tuple(sorted(_new_workflows(program, applied), key=_by_place)))


def _new_workflows(program: Program, applied: Iterable[Fix]) -> Iterator[Place]:
    """The functions that get the decorator of a workflow, by the names that they have then."""
    for fix in applied:
        for path, edits in fix.edits.items():
            for edit in edits:
                if isinstance(edit, Hoist):
                    yield Place(path, edit.span.line, edit.name)
                elif isinstance(edit, AddDecorator):
                    functions = program.unit_at[path].facts.functions
                    name = next(each.name for each in functions if each.node.lineno == edit.span.line)
                    yield Place(path, edit.span.line, name)


def _by_place(place: Place) -> tuple[Path, int]:
    return (place.path, place.line)


def _changed(program: Program, change: Change) -> Iterator[FunctionKey]:
    """The functions of a file whose source changes."""
    unit = program.unit_at[change.path]
    source = from_bytes(change.path, change.after)
    after = {key: text for key, (_, text) in texts_of(source, parse(source)).items()}
    numbers = {function.node: function.index for function in unit.facts.functions}
    for key, (node, text) in texts_of(unit.source, unit.tree).items():
        if after.get(key) != text and node in numbers:
            yield (unit.number, numbers[node])


def _workflow(
    program: Program,
    key: FunctionKey,
    reach: Reach,
    changed: frozenset[FunctionKey],
    step_changes: Iterable[StepChange],
) -> WorkflowImpact:
    other = sorted((each for each in step_changes if each.function in reach.own), key=lambda each: each.place.line)
    history = History.MAY_DIFFER if other else History.SAME
    if any(each.certain for each in other):
        history = History.DIFFERS
    here = _place(program, key, _SAME_CALLS if changed & reach.own else _IN_STEPS)
    through = sorted(changed & (reach.own | reach.in_steps) - {key})
    return WorkflowImpact(
        name=_name(program, key),
        path=here.path,
        line=here.line,
        changes_source=key in changed,
        history=history,
        reasons=tuple(dict.fromkeys(each.place for each in other)) or (here,),
        through=tuple(_place(program, function, _name(program, function)) for function in through),
        nested=program.function(Func(*key)).parent >= 0,
    )


def _place(program: Program, key: FunctionKey, text: str) -> Place:
    unit = program.units[key[0]]
    return program.place(unit, unit.facts.functions[key[1]].node, text)


def _name(program: Program, key: FunctionKey) -> str:
    """A function's qualified name."""
    unit = program.units[key[0]]
    function = unit.facts.functions[key[1]]
    node: ast.AST | None = function.node
    parts: list[str] = []
    while node is not None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            parts.extend(["<locals>"] if parts else [])
            parts.append(getattr(node, "name", "<lambda>"))
        elif isinstance(node, ast.ClassDef):
            parts.append(node.name)
        node = unit.facts.parents.get(node)
    return ".".join(reversed(parts))
