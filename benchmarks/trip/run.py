"""One round trip: the tests of a release turned, given to the tool in their whole tree, and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dbos_asyncify.config import Settings
from dbos_asyncify.findings import Result
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.workspace import open_workspace
from trip import api
from trip.compare import Outcome, States, outcomes
from trip.sites import LeftOut
from trip.turn import turn


@dataclass(frozen=True, slots=True)
class Trip:
    """What came out: all places with their outcomes, what was not turned, and the files that are not as they were.

    `restored` holds every file that the tool changed after the inverse, with its new text.
    """

    outcomes: tuple[Outcome, ...]
    left_out: tuple[tuple[Path, LeftOut], ...]
    problems: tuple[str, ...]
    restored: Mapping[Path, bytes]


def round_trip(folder: Path, version: str, stay: Iterable[Outcome] = ()) -> Trip:
    """Turn the tests of the release in `folder` and let the tool restore them. Nothing is written.

    The calls of the outcomes `stay` are not turned.
    """
    forms = api.read(folder / "dbos")
    properties = frozenset(f.name for each in forms.forms.values() for f in each.values() if f.is_property)
    tests = sorted((folder / "tests").rglob("*.py"))
    originals = {path: path.read_bytes() for path in tests}
    lines: dict[Path, set[int]] = {}
    for outcome in stay:
        lines.setdefault(folder / outcome.path, set()).add(outcome.line)
    turned = {path: turn(text, forms, lines.get(path, set())) for path, text in originals.items()}
    before = _fixed(folder, version, originals)
    after = _fixed(folder, version, {path: each.text for path, each in turned.items()})
    fixed = {change.path: change.after for change in before.changes}
    restored = {change.path: change.after for change in after.changes}
    found: list[Outcome] = []
    for path in tests:
        states = States(
            path.relative_to(folder),
            originals[path],
            turned[path],
            restored.get(path, turned[path].text),
            fixed.get(path, originals[path]),
            [finding for finding in after.findings if finding.path == path],
        )
        found.extend(outcomes(states, properties))
    left_out = [(path.relative_to(folder), each) for path in tests for each in turned[path].left_out]
    problems = [f"{problem.path}: {problem.message}" for problem in after.problems]
    problems += [f"{path}: is part of dbos itself, and changed" for path in restored.keys() - fixed.keys() - set(tests)]
    return Trip(tuple(found), tuple(left_out), tuple(problems), restored)


def _fixed(folder: Path, version: str, contents: Mapping[Path, bytes]) -> Result:
    """What the tool does to the whole tree in `folder` with these files in place of those on the disk."""
    workspace = open_workspace([folder, *contents], Settings(respect_gitignore=False), contents)
    options = Options(dbos_version=version, editable=workspace.given)
    return analyse(workspace.sources, workspace.files, workspace.root, options)
