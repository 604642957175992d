"""What the fixes change in the steps that a workflow records, beside what their rules say of it."""

from __future__ import annotations

from dbos_asyncify.findings import Place, StepChange
from dbos_asyncify.project.program import Program
from dbos_asyncify.rules.base import Draft, Effect

_REORDERS = Effect("it runs beside others of its workflow: their steps may be numbered in another order", certain=False)
_FIRST_COME = Effect(
    "it runs beside others of its workflow, and before dbos 2.10 asynchronous forms number their steps in threads",
    certain=False,
)
_NUMBERED_ON_LOOP = (2, 10)  # the release from which on they do that before they first wait


def step_change(program: Program, draft: Draft, *, unsafe: bool) -> StepChange | None:
    """What the edits of a draft do to the recorded steps; None if these stay the same."""
    effect = draft.effect
    if effect is None and unsafe:
        effect = draft.rule.effect
    if effect is None and program.concurrency.runs_beside(*draft.call.function_key):
        if program.catalogue.version < _NUMBERED_ON_LOOP:
            effect = _FIRST_COME
        elif unsafe:
            effect = _REORDERS
    if effect is None:
        return None
    place = Place(draft.call.path, draft.call.node.lineno, effect.text)
    return StepChange(draft.call.function_key, place, effect.certain)
