"""What the tool finds and what it would do about it: plain data, shared by every later stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from dbos_asyncify.source import Span

if TYPE_CHECKING:
    from dbos_asyncify.edits import Edit


class Safety(str, Enum):
    """How far a fix may be trusted: applied by default, on request, or left to a person."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Place:
    """One link of a reason chain: `text` says what happens at `path`, line `line`."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Fix:
    """Edits that are applied whole or not at all, in one file or in several; `caution` says what makes it unsafe."""

    title: str
    safety: Safety
    edits: Mapping[Path, tuple[Edit, ...]]
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong at one place.

    `message` is one sentence that says what is wrong here. `fix` is what the tool would do; where it is
    None, `reason` says why, and what a person should do.
    """

    code: str
    name: str
    path: Path
    span: Span
    message: str
    chain: tuple[Place, ...] = ()
    fix: Fix | None = None
    reason: str = ""

    @property
    def safety(self) -> Safety:
        return self.fix.safety if self.fix else Safety.MANUAL


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be read, parsed, verified or written, or a pattern that makes no sense."""

    path: Path
    message: str
    code: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after: what a diff shows and what applying writes.

    `findings` are those in this file that it mends, `elsewhere` those in other files whose fixes need it.
    """

    path: Path
    before: bytes
    after: bytes
    encoding: str
    findings: tuple[Finding, ...]
    elsewhere: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run found out.

    `findings` are sorted by path and place. `changes` hold the fixes that the options allow; `applied`
    are those fixes; a finding with another one, or with none, stays to be done. `files` counts what was looked at,
    `parsed` what takes part.
    """

    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    files: int = 0
    parsed: int = 0
    applied: frozenset[Fix] = field(default_factory=frozenset)
