"""Writes the catalogue of the DBOS API from the released packages.

    python scripts/generate_catalogue.py [--cache DIR] [--until VERSION] [--output FILE]

Downloads every final release with pip (it needs the package index) and reads the sources without
running them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from catalogue.describe import describe
from catalogue.releases import fetch_wheels, find_versions
from catalogue.source import Package
from catalogue.table import table

PACKAGE = "dbos"
OLDEST = "0.12.0"
OUTPUT = Path(__file__).parent.parent / "codemods/dbos_asyncify/dbos_api/catalogue.json"


def generate(cache: Path, until: str | None) -> str:
    """The text of the catalogue up to the release `until` (None: the newest); wheels are kept in `cache`.

    Raises RuntimeError when the index fails or a release is not as the reader knows them.
    """
    versions = find_versions(PACKAGE, OLDEST, until)
    wheels = fetch_wheels(PACKAGE, versions, cache)
    return table([(v, describe(Package(w, PACKAGE))) for v, w in zip(versions, wheels, strict=True)])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the catalogue of the DBOS API.")
    parser.add_argument("--cache", type=Path, help="folder for the wheels (default: a temporary one)")
    parser.add_argument("--until", help="last release to read (default: the newest)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file to write")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        text = generate(options.cache or Path(temporary), options.until)
    options.output.write_bytes(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
