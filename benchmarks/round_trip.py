"""Turns the async calls of dbos's own tests into sync ones, lets the tool restore them, and counts what came back.

    python benchmarks/round_trip.py VERSION... [--cache DIR] [--verbose] [--run-upstream]

Exits with 1 where less than 98 % came back exactly or one edit is wrong. Needs the package index.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from trip.compare import Verdict
from trip.release import unpack
from trip.run import Trip, round_trip
from trip.table import details, figures, share
from trip.upstream import compare

ENOUGH = 0.98


def judge(version: str, result: Trip, *, verbose: bool) -> bool:
    """Print the figures of one release; True if all is well."""
    print(f"dbos {version}", *figures(result), sep="\n")
    if verbose:
        print(*details(result.outcomes), sep="\n")
        for path, each in result.left_out:
            print(f"{path.as_posix()}:{getattr(each.node, 'lineno', 0)}: {each.kind}: not turned: {each.reason}")
    for problem in result.problems:
        print(problem)
    wrong = any(outcome.verdict is Verdict.WRONG for outcome in result.outcomes)
    return share(result) >= ENOUGH and not wrong and not result.problems


def upstream(version: str, folder: Path, result: Trip, cache: Path) -> bool:
    """Run the release's tests before and after; True if what passed before passes after.

    What the tool left to a person is as its authors wrote it.
    """
    left = [o for o in result.outcomes if o.verdict in (Verdict.REPORTED, Verdict.SILENT)]
    restored = round_trip(folder, version, stay=left).restored
    same = sum(path.read_bytes() == text for path, text in restored.items())
    runs = compare(folder, restored, cache, version)
    print(f"dbos {version}: {same} of {len(restored)} files came back byte for byte")
    print(f"other code in {', '.join(runs.files)}")
    for name, outcomes in (("before", runs.before), ("after", runs.after)):
        print(f"{name:8}", ", ".join(f"{number} {what}" for what, number in Counter(outcomes.values()).most_common()))
    for test, outcome in runs.before.items():
        if outcome != runs.after.get(test):
            print(f"{test}: {outcome} before, {runs.after.get(test, 'not run')} after")
    return bool(runs.before) and not runs.broken


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The round trip over dbos's own tests.")
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="releases of dbos")
    parser.add_argument("--cache", type=Path, help="folder for the releases (default: a temporary one)")
    parser.add_argument("--verbose", action="store_true", help="list every place that did not come back exactly")
    parser.add_argument("--run-upstream", action="store_true", help="run dbos's tests before and after, on SQLite")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        cache = (options.cache or Path(temporary)).absolute()
        fine: list[bool] = []
        for version in options.versions:
            folder = unpack(version, cache)
            result = round_trip(folder, version)
            fine.append(judge(version, result, verbose=options.verbose))
            if options.run_upstream:
                fine.append(upstream(version, folder, result, cache))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
