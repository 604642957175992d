"""Runs the command from a checkout: `python cli.py diff examples`. Not part of the wheel."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "codemods"))

from dbos_asyncify.cli import main

if __name__ == "__main__":
    main(prog_name="dbos-asyncify")
