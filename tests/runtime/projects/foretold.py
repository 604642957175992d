"""Whether the impact report of a fixture is true: its workflows, and their steps before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dbos_asyncify.findings import History
from fixture_cases import Case
from runtime.projects.project import Call, Ran
from runtime.projects.verdict import comparable

Steps = Counter[tuple[str, ...]]
HOST = "host"  # the runner's own workflow


def contradictions(case: Case, before: Ran, after: Ran) -> Iterator[str]:
    """What the report says otherwise than it was. A workflow that the report leaves out records the same steps."""
    result, _ = case.run(case.before())
    impact = result.impact
    if impact.new_version is not None:
        if impact.new_version != (before.application_version != after.application_version):
            yield f"the application version {'stays' if impact.new_version else 'changes'}"
    said: dict[str, set[History]] = {}
    for workflow in impact.workflows:
        said.setdefault(workflow.name, set()).add(workflow.history)
    for name, was in _seen(before, after).items():
        expected = said.get(name, {History.SAME})
        differing = [f"{entry}: {old} -> {new}" for entry, old, new in was if old != new]
        if expected == {History.SAME} and differing:
            yield f"`{name}` records other steps: {'; '.join(differing)}"
        if expected == {History.DIFFERS} and not differing:
            yield f"`{name}` records the same steps"


def _seen(before: Ran, after: Ran) -> dict[str, list[tuple[str, Steps, Steps]]]:
    """The workflows that ran, by name: in which calls, and with what steps before and after."""
    found: dict[str, list[tuple[str, Steps, Steps]]] = {}
    for entry, was in before.calls.items():
        now = after.calls.get(entry)
        if now is not None and comparable(was, now):
            for workflow in {name for name, _, _, _ in was.histories} - {HOST}:
                found.setdefault(workflow, []).append((entry, _steps(was, workflow), _steps(now, workflow)))
    return found


def _steps(call: Call, workflow: str) -> Steps:
    return Counter(steps for name, _, steps, _ in call.histories if name == workflow)
