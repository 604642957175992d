"""Coroutine functions that become child workflows: what is found inside them is another matter then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from dbos_asyncify.project.program import FunctionKey, Program
from dbos_asyncify.rules.base import Draft


def with_children(
    program: Program,
    drafts: list[Draft],
    drafts_of: Callable[[Program], Iterable[Draft]],
    without: frozenset[FunctionKey],
) -> list[Draft]:
    """`drafts` with those inside the functions that some of them make child workflows as they are for workflows.

    `drafts_of` finds the drafts of a program. Those that differ name the child workflows that they depend on. What
    `without` names is not counted on.
    """
    drafts = [replace(each, children=frozenset()) if each.children & without else each for each in drafts]
    sequences = {_key(each): each for each in drafts if _makes_children(program, each)}
    children = _children(sequences.values())
    if not children:
        return [replace(draft, children=frozenset()) if draft.children else draft for draft in drafts]
    while True:
        view = program.with_children(children)
        reached = {child: view.concurrency.called_from([child]) for child in children}
        inside = set().union(*reached.values())
        later = {_key(draft): draft for draft in drafts_of(view) if draft.call.function_key in inside}
        # Inside a workflow more is known to be stored, so that more can become one.
        more = {key: each for key, each in later.items() if _makes_children(view, each) and not each.children & without}
        if _children(more.values()) <= children:
            break
        sequences.update(more)
        children |= _children(more.values())
    found = [_tied(draft, reached) if draft.call.function_key in inside else draft for draft in sequences.values()]
    for draft in drafts:
        if _key(draft) in sequences:
            continue
        other = later.get(_key(draft)) if draft.call.function_key in inside else draft
        if other == draft:
            found.append(draft)
        elif other is not None and other.reason:  # a person must decide, whatever becomes of the function
            found.append(draft if draft.reason else other)
        else:  # if nothing is left to find, that is due to the others
            found.append(_tied(other or replace(draft, edits=(), reason=""), reached))
    new = later.keys() - {_key(draft) for draft in drafts} - sequences.keys()
    return [*found, *(_tied(later[key], reached) for key in later if key in new and not later[key].reason)]


def _makes_children(program: Program, draft: Draft) -> bool:
    return bool(draft.children) and not draft.reason and program.enabled(draft.rule.code, draft.call.path)


def _children(drafts: Iterable[Draft]) -> frozenset[FunctionKey]:
    return frozenset(key for draft in drafts for key in draft.children)


def _key(draft: Draft) -> tuple[object, str]:
    return draft.call.site, draft.rule.code


def _tied(draft: Draft, reached: dict[FunctionKey, set[FunctionKey]]) -> Draft:
    """A draft that holds if the functions that come there are child workflows."""
    around = {key for key, inside in reached.items() if draft.call.function_key in inside}
    return replace(draft, children=draft.children | around)
