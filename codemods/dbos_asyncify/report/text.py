"""For people: findings with their reasons, the coloured and explained diff, the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from dbos_asyncify.findings import Change, Finding, Problem, Result, Safety
from dbos_asyncify.report.patch import NO_NEWLINE, shown, unified

_MARK = {Safety.SAFE: " [*]", Safety.UNSAFE: " [unsafe fix]", Safety.MANUAL: ""}
_STYLE = {"+": "green", "-": "red", "@": "cyan", " ": "dim"}


def concise(console: Console, findings: Iterable[Finding], base: Path) -> None:
    """One line a finding: `path:row:column: CODE message`."""
    for finding in findings:
        console.print(_headline(finding, base), soft_wrap=True)


def full(console: Console, findings: Iterable[Finding], base: Path) -> None:
    """Each finding with what leads to it, and why the tool leaves it to a person where it does."""
    for finding in findings:
        console.print(_headline(finding, base), soft_wrap=True)
        _details(console, finding, base)


def _headline(finding: Finding, base: Path) -> Text:
    place = Text(shown(finding.path, base), style="bold")
    place.append(f":{finding.span.line}:{finding.span.column + 1}: ", style="not bold cyan")
    place.append(finding.code, style="bold red")
    place.append(f"{_MARK[finding.safety]} {finding.message}", style="not bold default")
    return place


def _details(console: Console, finding: Finding, base: Path) -> None:
    for link in dict.fromkeys(finding.chain):
        console.print(Text(f"    {shown(link.path, base)}:{link.line}: {link.text}", style="dim"), soft_wrap=True)
    if finding.reason:
        console.print(Text(f"    by hand: {finding.reason}", style="yellow"), soft_wrap=True)
    if finding.fix and finding.fix.caution:
        console.print(Text(f"    unsafe: {finding.fix.caution}", style="yellow"), soft_wrap=True)


def explained_diff(console: Console, changes: Sequence[Change], base: Path) -> None:
    """Every hunk of every change, under the findings that it mends."""
    for change in changes:
        console.rule(Text(shown(change.path, base), style="bold"), align="left", style="dim")
        for number, line in enumerate(unified(change, base)):
            text = line.decode(change.encoding, errors="replace").rstrip("\r\n")
            if text.startswith("@@"):
                for head, reason in _reasons(change, text, base):
                    console.print(Text.assemble((head, "bold"), (reason, "italic")), soft_wrap=True)
            if number > 1 and not line.endswith(NO_NEWLINE):  # the first two name the file
                style = _STYLE.get(text[:1], "")
                console.print(Text(text, style=style), soft_wrap=True)


def _reasons(change: Change, header: str, base: Path) -> list[tuple[str, str]]:
    """What the lines that a hunk's header (`@@ -12,5 +12,6 @@`) covers are changed for, each with what goes before."""
    start, _, count = header.split()[1][1:].partition(",")
    lines = range(int(start), int(start) + int(count or 1))
    here = [finding for finding in change.findings if finding.span.line in lines]
    if here:
        return [line for found in here for line in _told(found, f"line {found.span.line}")]
    elsewhere = [
        finding
        for finding in change.elsewhere
        if finding.fix and any(edit.span.line in lines for edit in finding.fix.edits[change.path])
    ]
    if elsewhere:
        return [line for found in elsewhere for line in _told(found, f"{shown(found.path, base)}:{found.span.line}")]
    return [("", "  imports and annotations that go with the other changes")]


def _told(finding: Finding, place: str) -> list[tuple[str, str]]:
    """A finding in the explained diff, and what its fix may change besides."""
    caution = finding.fix.caution if finding.fix else ""
    return [(f"  {finding.code} {place}: ", finding.message), *([("    unsafe: ", caution)] if caution else [])]


def problems(console: Console, found: Iterable[Problem], base: Path) -> None:
    """What could not be read, parsed, verified or written."""
    for problem in found:
        place = shown(problem.path, base) + "".join(f":{n}" for n in (problem.line, problem.column) if n)
        code = f"{problem.code} " if problem.code else ""
        console.print(Text.assemble((place, "bold"), ": ", (code, "bold red"), problem.message), soft_wrap=True)


def summary(console: Console, result: Result, *, fixed: bool = False) -> None:
    """Numbers, and what is left for a person and why. `fixed` tells whether the changes were written."""
    left = [finding for finding in result.findings if finding.fix not in result.applied or finding.fix is None]
    mended = len(result.findings) - len(left)
    console.print(
        f"{_count(result.files, 'file')}, {result.parsed} with DBOS: {_count(len(result.findings), 'finding')}, "
        f"{mended} {'fixed' if fixed else 'fixable'} in {_count(len(result.changes), 'file')}.",
        highlight=False,
        soft_wrap=True,
    )
    unsafe = sum(finding.safety is Safety.UNSAFE for finding in left)
    if unsafe:
        console.print(
            f"{_count(unsafe, 'finding')} with an unsafe fix: add --unsafe-fixes.",
            highlight=False,
            soft_wrap=True,
        )
    reasons = Counter(finding.reason for finding in left if finding.reason)
    if reasons:
        console.print(f"{sum(reasons.values())} left for a person:", highlight=False, soft_wrap=True)
        for reason, count in reasons.most_common():
            console.print(Text(f"  {count} × {reason}"), soft_wrap=True)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
