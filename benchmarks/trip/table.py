"""The figures of a round trip, by kind of call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from trip.compare import Outcome, Verdict
from trip.run import Trip

_SHOWN = (Verdict.EXACT, Verdict.OTHER_WAY, Verdict.REPORTED, Verdict.SILENT, Verdict.WRONG)


def share(trip: Trip) -> float:
    """How many of the turned calls came back exactly."""
    turned = [outcome for outcome in trip.outcomes if outcome.verdict is not Verdict.BEFORE]
    return sum(outcome.verdict is Verdict.EXACT for outcome in turned) / len(turned)


def figures(trip: Trip) -> Iterator[str]:
    """The lines of the table, with what was left out and why."""
    kinds = Counter(outcome.kind for outcome in trip.outcomes if outcome.verdict is not Verdict.BEFORE)
    yield _row("kind", "turned", *(verdict.value for verdict in _SHOWN))
    for kind, number in [*kinds.most_common(), ("total", kinds.total())]:
        of_kind = [o.verdict for o in trip.outcomes if kind in (o.kind, "total")]
        yield _row(kind, number, *(of_kind.count(verdict) for verdict in _SHOWN))
    yield f"restored exactly: {share(trip):.1%}"
    yield "not turned:"
    for reason, number in Counter(each.reason for _, each in trip.left_out).most_common():
        yield f"{number:6} {reason}"
    before = sum(outcome.verdict is Verdict.BEFORE for outcome in trip.outcomes)
    yield f"places that the tool changes in the original too: {before}"


def details(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """A line for each place that did not come back as it was."""
    for outcome in outcomes:
        if outcome.verdict is not Verdict.EXACT:
            where = f"{outcome.path.as_posix()}:{outcome.line}"
            yield f"{where}: {outcome.kind}: {outcome.verdict.value}: {outcome.note}"


def _row(kind: str, *cells: object) -> str:
    return f"{kind:28}" + "".join(f"{cell!s:>13}" for cell in cells)
