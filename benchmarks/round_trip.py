"""Turns the async calls of dbos's own tests into sync ones, lets the tool restore them, and counts what came back.

    python benchmarks/round_trip.py VERSION... [--cache DIR] [--verbose] [--run-upstream]

Exits with 1 where less than 98 % came back exactly or one edit is wrong. Needs the package index.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "codemods"), str(ROOT / "benchmarks")]

from trip.compare import Verdict
from trip.release import unpack
from trip.run import round_trip
from trip.table import details, figures, share

ENOUGH = 0.98


def trip(version: str, cache: Path, *, verbose: bool) -> bool:
    """One release there and back; True if all is well."""
    folder = unpack(version, cache)
    result = round_trip(folder, version)
    print(f"dbos {version}", *figures(result), sep="\n")
    if verbose:
        print(*details(result.outcomes), sep="\n")
        for path, each in result.left_out:
            print(f"{path.as_posix()}:{getattr(each.node, 'lineno', 0)}: {each.kind}: not turned: {each.reason}")
    print(*result.problems, sep="\n", end="\n" if result.problems else "")
    wrong = any(outcome.verdict is Verdict.WRONG for outcome in result.outcomes)
    return share(result) >= ENOUGH and not wrong and not result.problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The round trip over dbos's own tests.")
    parser.add_argument("versions", nargs="+", metavar="VERSION", help="releases of dbos")
    parser.add_argument("--cache", type=Path, help="folder for the releases (default: a temporary one)")
    parser.add_argument("--verbose", action="store_true", help="list every place that did not come back exactly")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        cache = (options.cache or Path(temporary)).absolute()
        fine = [trip(version, cache, verbose=options.verbose) for version in options.versions]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
