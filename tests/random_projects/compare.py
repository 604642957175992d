"""What the tool made of a project: restored as it was, or every place reported that it left."""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from dbos_asyncify.findings import Finding, Result
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.source import from_bytes
from random_projects.colours import Colours
from random_projects.excuses import Excuses, Triple
from random_projects.heads import Head, heads
from random_projects.inverse import synchronous
from random_projects.model import Project
from random_projects.render import render

ROOT = Path("/project").absolute()
Files = dict[str, str]


@dataclass
class Report:
    """One project before, as it should be, and as the tool made it; `errors` are the tool's faults."""

    before: Files
    wanted: Files
    after: Files
    result: Result
    planted: list[str]
    sites: int = 0
    left: int = 0
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [*self.errors]
        for title, files in (("before", self.before), ("wanted", self.wanted), ("after", self.after)):
            for path, text in files.items():
                if title == "before" or text != self.before[path]:
                    parts.append(f"# {title}: {path}\n{text}")
        parts.extend(self.line(found) for found in self.result.findings)
        return "\n".join(parts)

    def line(self, found: Finding) -> str:
        done = "fixed" if found.fix in self.result.applied else "left"
        return f"{_path(found)}:{found.span.line} {found.code} {done}: {found.message} | {found.reason}"

    @property
    def unfixed(self) -> list[Finding]:
        return [found for found in self.result.findings if found.fix not in self.result.applied]

    def reported(self, path: str, head: Head) -> bool:
        """Whether a finding that is not fixed stands on a statement of the input."""
        return any(_path(found) == path and head.covers(found.span.line) for found in self.unfixed)


def _path(found: Finding) -> str:
    return found.path.relative_to(ROOT).as_posix()


def run(files: Files) -> tuple[Result, dict[str, str]]:
    """The tool on files in memory, with safe fixes; what it says of the order of steps is true of either form."""
    paths = {ROOT / path: text for path, text in files.items()}
    sources = [from_bytes(path, text.encode()) for path, text in paths.items()]
    options = Options(lambda code, path: not code.startswith("DBA2"), target_python=(3, 11))
    result = analyse(sources, list(paths), ROOT, options)
    changed = {change.path: change.after.decode() for change in result.changes}
    return result, {path.relative_to(ROOT).as_posix(): changed.get(path, text) for path, text in paths.items()}


def examine(project: Project, *, promote: bool = True) -> Report:
    """Write a project, undo it, let the tool restore it, and look for every fault."""
    colours = Colours(project, promote=promote)
    wanted = render(project, colours)
    helpers = {function.name for function in colours.coroutines if not function.kind.is_coroutine}
    helpers |= project.nested
    migrated = {function.name for function in project.functions if function.migrated}
    before = {path: synchronous(text, helpers, migrated) for path, text in wanted.items()}
    result, after = run(before)
    report = Report(before, wanted, after, result, project.planted)
    report.errors.extend(f"problem: {problem}" for problem in result.problems)
    _compare(report)
    again, twice = run(after)
    if twice != after or again.problems:
        report.errors.append("the second run changes something")
    return report


def _compare(report: Report) -> None:
    triples: list[Triple] = []
    for path in report.before:
        versions = [heads(files[path]) for files in (report.before, report.wanted, report.after)]
        if len({len(version) for version in versions}) > 1:
            report.errors.append(f"{path} has other statements than before")
            return
        triples.extend(Triple(path, *same) for same in zip(*versions, strict=True))
    changes = {triple for triple in triples if triple.before.text != triple.wanted.text}
    left = {triple for triple in triples if triple.wanted.text != triple.after.text}
    report.sites, report.left = len(changes), len(left)
    excused = Excuses(triples, report.reported)
    for triple in sorted(left, key=lambda triple: (triple.path, triple.before.line)):
        if not excused.statement(triple):
            report.errors.append(
                f"{triple.path}:{triple.before.line} is not reported: {triple.after.text!r} for {triple.wanted.text!r}"
            )
    if not left:
        for path, text in report.wanted.items():
            if ast.dump(ast.parse(text)) != ast.dump(ast.parse(report.after[path])):
                report.errors.append(f"{path} has other imports than it should have")
    _look_at_findings(report, triples, changes)


def _look_at_findings(report: Report, triples: Sequence[Triple], changes: Set[Triple]) -> None:
    """Every finding is about a coroutine and something wrong in it; everything planted has one."""
    missing = set(report.planted)
    for found in report.result.findings:
        here = [triple for triple in triples if triple.path == _path(found) and triple.before.covers(found.span.line)]
        if not here:
            report.errors.append(f"about nothing: {report.line(found)}")
            continue
        triple = here[-1]
        planted = {word for word in report.planted if word in triple.before.text}
        on_loop = triple.wanted.asynchronous or triple.wanted.around
        if not on_loop or not (triple in changes or planted):
            report.errors.append(f"false alarm: {report.line(found)}")
        if found.fix not in report.result.applied:
            missing -= planted
    report.errors.extend(f"not reported: the planted {word}" for word in sorted(missing))
