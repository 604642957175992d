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


@dataclass(frozen=True, slots=True)
class StepChange:
    """Where a fix changes what a workflow records: the place and in words what, `certain` if in every run.

    `function` is where it stands in the program: the number of the file, and that of the function in it.
    """

    function: tuple[int, int]
    place: Place
    certain: bool


@dataclass(frozen=True, slots=True, eq=False)
class Fix:
    """Edits that are applied whole or not at all, in one file or in several.

    `caution` says what they may change besides; empty for a safe fix.
    `step_changes` are all places where a workflow that comes there records other steps than before.
    """

    title: str
    edits: Mapping[Path, tuple[Edit, ...]]
    caution: str = ""
    step_changes: tuple[StepChange, ...] = ()

    @property
    def safety(self) -> Safety:
        return Safety.UNSAFE if self.caution else Safety.SAFE


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


class History(str, Enum):
    """Whether a workflow records the steps that it recorded before."""

    SAME = "same"
    MAY_DIFFER = "may differ"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class WorkflowImpact:
    """A workflow whose source changes (`changes_source`), or that runs functions which change (`through`).

    `reasons` say what is recorded otherwise and where, or why nothing is. `nested` is one that is defined inside a
    function: perhaps too late to count for the application version.
    """

    name: str
    path: Path
    line: int
    changes_source: bool
    history: History
    reasons: tuple[Place, ...]
    through: tuple[Place, ...] = ()
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """All workflows that the changes concern: first those that record other steps, then by their place.

    `version` is the dbos version that the changes are for, `new_workflows` the functions that become workflows.
    """

    version: tuple[int, ...] = ()
    workflows: tuple[WorkflowImpact, ...] = ()
    new_workflows: tuple[Place, ...] = ()

    @property
    def new_version(self) -> bool | None:
        """Whether the default application version changes; None if that depends on when functions are defined."""
        nested = {workflow.nested for workflow in self.workflows if workflow.changes_source}
        nested |= {False} if self.new_workflows else set()  # they stand in the module
        return None if nested == {True} else bool(nested)

    @property
    def same_steps(self) -> bool:
        """Whether all of them record the steps that they recorded before."""
        return all(workflow.history is History.SAME for workflow in self.workflows)


@dataclass(frozen=True, slots=True)
class Replacement:
    """Whole lines of a file, and the text that takes their place; an insertion where the span is empty."""

    path: Path
    span: Span
    content: str


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one run found out.

    `findings` are sorted by path and place. `changes` hold the fixes that the options allow; `applied`
    are those fixes; a finding with another one, or with none, stays to be done. `files` counts what was looked at,
    `parsed` what takes part. `impact` is what the changes mean for workflows that are running, `replacements` what each
    fix by itself does to the text, if the options ask for that.
    """

    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    files: int = 0
    parsed: int = 0
    applied: frozenset[Fix] = field(default_factory=frozenset)
    impact: Impact = field(default_factory=Impact)
    replacements: Mapping[Fix, tuple[Replacement, ...]] = field(default_factory=dict)
