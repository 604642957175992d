"""Running the command in tests: in this process where that is faithful, in its own where bytes and signals matter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from dbos_asyncify.cli import main

SOURCE_ROOT = Path(__file__).parents[1] / "codemods"

WRONG = """\
from dbos import DBOS


@DBOS.workflow()
async def greet(name: str) -> str:
    DBOS.sleep(1)
    return name
"""
RIGHT = WRONG.replace("DBOS.sleep(1)", "await DBOS.sleep_async(1)")
SAID = "DBA101 [*] `DBOS.sleep` in a coroutine raises RuntimeError on a running event loop"

# One finding that only a person can mend, one with a safe fix.
BY_HAND = """\
from dbos import DBOS


@DBOS.workflow()
async def greet(names: list[str]) -> None:
    names.sort(key=lambda name: DBOS.get_event(name, "rank"))
    DBOS.sleep(1)
"""

# Two findings with an unsafe fix: the branches share one workflow's history.
UNSAFE = """\
import time

from dbos import DBOS


@DBOS.workflow()
async def remind(name: str) -> None:
    time.sleep(3600)
    await DBOS.send_async(name, "soon")
    time.sleep(3600)
"""


def run(*args: str | Path, stdin: bytes | None = None) -> Result:
    """The command in this process, in the current folder."""
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def environment(**more: str) -> dict[str, str]:
    """That of a child process: it finds the package, and nothing of what runs the tests colours its output."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "TERM", "TTY_COMPATIBLE", "COLUMNS", "PYTHONIOENCODING")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "PYTHONPATH": str(SOURCE_ROOT), **more}


def start(*args: str | Path, folder: Path, **more: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own, with pipes to all three streams."""
    command = [sys.executable, "-m", "dbos_asyncify", *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment(**more), stdin=pipe, stdout=pipe, stderr=pipe)


def spawn(*args: str | Path, folder: Path, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    """As `start`, until it ends."""
    with start(*args, folder=folder, **more) as process:
        out, err = process.communicate(stdin, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def make(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below `folder`, as bytes: line ends stay as they are."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }
