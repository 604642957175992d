"""What the runs of a fixture say about its findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dbos_asyncify.findings import Finding
from fixture_cases import Case
from runtime.projects.project import Call, Happened, Line, Ran

COUNTED = "counted"  # the property of a test that holds what it counts, and how often; added up at the end
UNFINISHED = {"PENDING", "ENQUEUED", "DELAYED", "CANCELLED"}
MIXED_UP = re.compile("await|coroutine|event loop")
IGNORES = re.compile(rb"(asyncify|noqa)(?=:)")


def findings(case: Case, files: Mapping[Path, bytes]) -> list[Finding]:
    """The findings in these files, those under ignore comments included: what they silence happens all the same."""
    result, _ = case.run({path: IGNORES.sub(rb"\1 -", data) for path, data in files.items()})
    return list(result.findings)


def lines(found: Iterable[Finding]) -> set[Line]:
    root = Path("/project").absolute()
    return {
        (finding.path.relative_to(root).as_posix(), line)
        for finding in found
        for line in range(finding.span.line, finding.span.end_line + 1)
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of the tool's findings with what happened.

    Of the findings in `before`, `confirmed` are those on whose lines something blocked or would have raised, `silent`
    those whose lines ran on the loop and nothing happened, `unreached` the rest. `missed` are events in a coroutine of
    `before` on no finding's line, `left` those of `after`. `worse` tells of functions that behave otherwise in
    `after`, unless `before` was what raised. `compared` counts the functions whose steps were compared.
    """

    confirmed: tuple[Finding, ...]
    silent: tuple[Finding, ...]
    unreached: tuple[Finding, ...]
    missed: tuple[str, ...]
    left: tuple[str, ...]
    worse: tuple[str, ...]
    compared: int


def judge(case: Case, before: Ran, after: Ran) -> Verdict:
    found = findings(case, case.before())
    happened = {line for call in before.calls.values() for event in call.events for line in event.lines}
    reached = {line for call in before.calls.values() for line in call.reached}
    by_kind: dict[str, list[Finding]] = {"confirmed": [], "silent": [], "unreached": []}
    for finding in found:
        own = lines([finding])
        by_kind["confirmed" if own & happened else "silent" if own & reached else "unreached"].append(finding)
    pairs = [(call, after.calls[name]) for name, call in before.calls.items() if name in after.calls]
    return Verdict(
        confirmed=tuple(by_kind["confirmed"]),
        silent=tuple(by_kind["silent"]),
        unreached=tuple(by_kind["unreached"]),
        missed=tuple(_elsewhere(before, lines(found))),
        left=tuple(_elsewhere(after, lines(findings(case, case.after())))),
        worse=tuple(difference for was, now in pairs for difference in _worse(was, now)),
        compared=sum(comparable(was, now) for was, now in pairs),
    )


def _elsewhere(ran: Ran, expected: set[Line]) -> Iterator[str]:
    """What happened in coroutines of the project on none of these lines."""
    for call in ran.calls.values():
        for event in call.events:
            if call.asynchronous and event.attributed and not expected.intersection(event.lines):
                yield f"{call.entry}: {_told(event)}"


def _told(event: Happened) -> str:
    return f"{event.kind} {event.what} {' < '.join(f'{path}:{line}' for path, line in event.lines)}"


def comparable(was: Call, now: Call) -> bool:
    """Whether both ran to the end, and all workflows that they started: how far the others came is a matter of time."""
    histories = (*was.histories, *now.histories)
    return was.outcome == now.outcome == "returned" and not any(status in UNFINISHED for _, status, _, _ in histories)


def _other_failure(was: Call, now: Call) -> bool:
    if was.outcome != now.outcome:
        return True
    kind, _, told = now.error.partition(":")
    return kind != was.error.partition(":")[0] or (now.error != was.error and bool(MIXED_UP.search(told)))


def _worse(was: Call, now: Call) -> Iterator[str]:
    if now.outcome in ("raised", "hung") and _other_failure(was, now):
        yield f"{was.entry}: {was.outcome} {was.error} -> {now.outcome} {now.error}"
    elif comparable(was, now):
        if Counter(was.histories) != Counter(now.histories):
            yield f"{was.entry}: other steps: {was.histories} -> {now.histories}"
        if was.result != now.result:
            yield f"{was.entry}: other result: {was.result} -> {now.result}"
