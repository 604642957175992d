"""Runs the fixtures as projects on a real DBOS with SQLite: all that can be called in them is called.

What the tool finds in `before` has to happen there, what it does not find must not, and in `after` nothing may happen
but on the lines of what it leaves to a person. Functions that run to the end in both record the same steps. What the
impact report says of the workflows and of the application version has to be so.
`projects.toml` lists the fixtures that cannot be run, and those that differ on purpose, each with the reason. The
table at the end of the run adds up what was executed; `-n 2` takes about four minutes.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixture_cases import Case, cases
from runtime.projects.foretold import contradictions
from runtime.projects.project import Ran, Runner
from runtime.projects.verdict import COUNTED, Verdict, judge

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KNOWN: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("projects.toml").read_text(encoding="utf-8"))
SHORT = re.compile(r"[\w ]+(: \w+)?")
FEWEST_PAIRS = 80
PROJECTS = [case for case in cases() if case.is_project]
PAIRS = [case for case in PROJECTS if case.after() != case.before()]


@pytest.fixture(scope="module")
def runner(dbos_runs: None) -> Iterator[Runner]:
    if not hasattr(os, "fork"):
        pytest.skip("every project runs in a fork of one process")
    with Runner() as started:
        yield started


def why_not_executed(before: Ran, after: Ran, verdict: Verdict) -> str:
    """Empty where it counts as executed: a coroutine with a finding ran, or, without findings, any function did."""
    failed = {**before.not_imported, **after.not_imported}
    if failed:
        return "; ".join(f"{module} cannot be imported: {error}" for module, error in failed.items())
    if verdict.unreached and not (verdict.confirmed or verdict.silent):
        told = "; ".join(f"{call.entry} {call.outcome} {call.error}" for call in before.calls.values())
        return f"no line with a finding ran: {told}"
    if not any(call.outcome == "returned" or call.reached for call in after.calls.values()):
        return "nothing ran"
    return ""


def counts(case: Case, before: Ran, after: Ran, verdict: Verdict) -> dict[str, int]:
    """What the table at the end of the run adds up."""
    kind = "pairs" if case in PAIRS else "without a change"
    reason = why_not_executed(before, after, verdict)
    counted = Counter({f"projects, {kind}: {'not executed' if reason else 'executed'}": 1})
    for state, ran in {"before": before, "after": after}.items():
        for call in ran.calls.values():
            colour = "coroutines" if call.asynchronous else "other functions"
            counted[f"{colour}, {state}: {call.outcome}"] += 1
            if call.outcome == "skipped":
                counted[f"skipped: {SHORT.match(call.error).group()}"] += 1  # type: ignore[union-attr]
    counted["findings confirmed: it blocks, or raises"] += len(verdict.confirmed)
    counted["findings not confirmed, though their line ran"] += len(verdict.silent)
    counted["findings whose line did not run"] += len(verdict.unreached)
    counted["functions whose steps and result are the same after"] += verdict.compared
    return dict(counted)


@pytest.mark.slow
@pytest.mark.parametrize("case", PROJECTS, ids=lambda case: case.name)
def test_fixture_project(
    case: Case,
    runner: Runner,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    before = runner.run(case.before(), tmp_path / "before")
    after = runner.run(case.after(), tmp_path / "after") if case in PAIRS else before
    verdict = judge(case, before, after)
    record_property(COUNTED, counts(case, before, after, verdict))
    reason = why_not_executed(before, after, verdict)
    if case.name in KNOWN["not-executed"]:
        assert reason, "it runs: take it off the list"
        pytest.skip(reason)
    assert not reason
    untrue = tuple(contradictions(case, before, after))
    assert bool(untrue) == (case.name in KNOWN["impact"]), untrue
    if case.name in KNOWN["differs"]:
        assert verdict.missed or verdict.left or verdict.worse, "it does not differ: take it off the list"
    else:
        worse = () if case.name in KNOWN["varies"] else verdict.worse
        assert (verdict.missed, verdict.left, worse) == ((), (), ())
    alarmed = any(finding.fix for finding in (*verdict.confirmed, *verdict.silent))
    false_alarm = alarmed and not verdict.confirmed
    assert false_alarm == (case.name in KNOWN["not-confirmed"]), "nothing blocks, and nothing raises"


def test_enough_projects_are_executed() -> None:
    """The tests above see to it that the rest is."""
    executed = [case.name for case in PAIRS if case.name not in KNOWN["not-executed"]]
    assert len(executed) >= FEWEST_PAIRS
    assert {name for listed in KNOWN.values() for name in listed} <= {case.name for case in PROJECTS}
