"""A fixture as a project that can be run, and the process that runs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[2]
POSTGRES = re.compile(r"postgres(?:ql)?(?:\+\w+)?://[^\"'\s]*")
HANG_SECONDS = 20.0
SOURCE_ROOTS = ("", "src")

Line = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the probe."""

    kind: str
    what: str
    lines: tuple[Line, ...]
    attributed: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What became of one function; the fields are described in drive.py."""

    entry: str
    asynchronous: bool
    outcome: str
    error: str
    result: str
    events: tuple[Happened, ...]
    reached: frozenset[Line]
    histories: tuple[tuple[str, str, tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one project: the modules that could not be imported and why, the calls, and what DBOS makes its
    default application version from the source of the workflows."""

    not_imported: Mapping[str, str]
    calls: Mapping[str, Call]
    application_version: str


class Runner:
    """The process that runs projects; to be used as a context manager."""

    def __enter__(self) -> Runner:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runtime.projects.runner"],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def run(self, files: Mapping[Path, bytes], folder: Path, limit: float = HANG_SECONDS) -> Ran:
        """Run the project of these files, written to `folder`. A call hangs when it takes more than `limit` seconds."""
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(POSTGRES.sub("sqlite:///x", data.decode()), encoding="utf-8")
        modules = dict(sorted((_module(path), path.as_posix()) for path in files))
        roots = [*SOURCE_ROOTS, *sorted({path.parent.as_posix() for path in files if _is_script(path, files)})]
        packages = sorted({_top(path, files) for path in files} | {name.partition(".")[0] for name in modules})
        not_imported: dict[str, str] = {}
        calls: dict[str, Call] = {}
        while True:  # a call that hangs ends the process: go on behind it
            job: dict[str, Any] = {"folder": str(folder), "roots": roots, "modules": modules}
            job |= {"packages": packages, "limit": limit, "done": sorted(calls)}
            answer = self._answer(job)
            not_imported |= answer["not_imported"]
            made = {raw["entry"]: _call(raw) for raw in answer["calls"]}
            calls |= made
            if not any(call.outcome == "hung" for call in made.values()):
                return Ran(not_imported, calls, answer["application_version"])

    def _answer(self, job: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(job) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert answer is not None, f"the process that ran {job['folder']} died"
        return dict(answer)


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    if parts[0] in SOURCE_ROOTS:
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _is_script(path: Path, files: Mapping[Path, bytes]) -> bool:
    """Whether it stands in a folder that is no package: Python finds what is beside it."""
    return path.parent / "__init__.py" not in files


def _top(path: Path, files: Mapping[Path, bytes]) -> str:
    """The name of the package or module at the top that it belongs to."""
    while not _is_script(path, files) and path.parent.name:
        path = path.parent
    return path.stem


def _lines(raw: list[list[Any]]) -> tuple[Line, ...]:
    return tuple((path, line) for path, line in raw)


def _call(raw: dict[str, Any]) -> Call:
    return Call(
        raw["entry"],
        raw["asynchronous"],
        raw["outcome"],
        raw["error"],
        raw["result"],
        tuple(Happened(kind, what, _lines(lines), own) for kind, what, lines, own in raw["events"]),
        frozenset(_lines(raw["reached"])),
        tuple((name, status, tuple(steps), error) for name, status, steps, error in raw["histories"]),
    )
