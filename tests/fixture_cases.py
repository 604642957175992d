"""The cases in `tests/fixtures`: what they hold, and how the tool is run on them.

A case is a folder `<rule>/<case>` with `before.py` and, unless the file must stay as it is, `after.py`; or with
folders `before` and `after` that hold several files. `findings.txt` lists the findings, `case.toml` the arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast, get_args

from dbos_asyncify.findings import Finding, Result
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.project.symbols import Declaration, Kind
from dbos_asyncify.source import from_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).parent / "fixtures"
Convert = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Case:
    """One folder of the fixtures."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.relative_to(FIXTURES).as_posix()

    @property
    def is_project(self) -> bool:
        return (self.folder / "before").is_dir()

    def before(self) -> dict[Path, bytes]:
        """The Python files, by their path in the project."""
        if self.is_project:
            return _files(self.folder / "before")
        return {Path("before.py"): (self.folder / "before.py").read_bytes()}

    def after(self) -> dict[Path, bytes]:
        """What the tool must make of them."""
        if self.is_project:
            folder = self.folder / "after"
            return {**self.before(), **(_files(folder) if folder.is_dir() else {})}
        after = self.folder / "after.py"
        return {Path("before.py"): after.read_bytes()} if after.exists() else self.before()

    def options(self) -> Options:
        """The arguments of `case.toml`."""
        path = self.folder / "case.toml"
        parser = argparse.ArgumentParser()
        parser.add_argument("--dbos-version")
        parser.add_argument("--unsafe-fixes", action="store_true")
        parser.add_argument("--target-python", type=lambda text: tuple(map(int, text.split("."))))
        parser.add_argument("--declare", metavar="NAME=KIND", type=_declaration, action="append", default=[])
        args = tomllib.loads(path.read_text(encoding="utf-8"))["args"] if path.exists() else []
        given = vars(parser.parse_args(args))
        return Options(**{**given, "declare": dict(given["declare"])})

    def run(self, files: Mapping[Path, bytes]) -> tuple[Result, dict[Path, bytes]]:
        """The tool's result for these files, and the files after it."""
        root = Path("/project").absolute()
        paths = [root / path for path in files]
        sources = [from_bytes(root / path, data) for path, data in files.items()]
        result = analyse(sources, paths, root, self.options())
        changed = {change.path.relative_to(root): change.after for change in result.changes}
        return result, {path: changed.get(path, data) for path, data in files.items()}

    def migrated(self) -> tuple[Result, Mapping[Path, bytes]]:
        """The same for the files before; many tests look at that run."""
        return _migrated(self)

    def listed(self, findings: tuple[Finding, ...]) -> str:
        """The findings as `findings.txt` holds them."""
        root = Path("/project").absolute()
        prefix = "before/" if self.is_project else ""
        return "".join(
            f"{prefix}{found.path.relative_to(root).as_posix()}:{found.span.line}:{found.span.column + 1} {found.code} "
            f"{found.safety.value}: {found.message}{_why(found)}\n"
            for found in findings
        )

    def expected_findings(self) -> str:
        return (self.folder / "findings.txt").read_text(encoding="utf-8")

    def update(self, files: Mapping[Path, bytes], findings: tuple[Finding, ...]) -> None:
        """Write what the tool does now."""
        (self.folder / "findings.txt").write_text(self.listed(findings), encoding="utf-8", newline="\n")
        changed = files != self.before()
        for path, data in files.items():
            after = self.folder / "after" / path if self.is_project else self.folder / "after.py"
            if changed:
                after.parent.mkdir(parents=True, exist_ok=True)
                after.write_bytes(data)
            else:
                after.unlink(missing_ok=True)


@cache
def _migrated(case: Case) -> tuple[Result, Mapping[Path, bytes]]:
    return case.run(case.before())


def _why(finding: Finding) -> str:
    why = finding.reason or (finding.fix.caution if finding.fix else "")
    return f" | {why}" if why else ""


def _declaration(text: str) -> tuple[str, Declaration]:
    name, _, kind = text.partition("=")
    assert kind in get_args(Kind)
    return name, Declaration(cast("Kind", kind), Path("pyproject.toml"))


def _files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.py"))}


def cases() -> Iterator[Case]:
    for folder in sorted(FIXTURES.glob("*/*")):
        yield Case(folder)
