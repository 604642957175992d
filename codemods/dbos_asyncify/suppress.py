"""What the comments that silence findings cover, and whether each of them is of use."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbos_asyncify.edits.regions import first_line
from dbos_asyncify.findings import Finding, Fix
from dbos_asyncify.pragmas import Comment, Named, Pragma, comments
from dbos_asyncify.source import Source, Span

Lines = tuple[int, int]  # the first and the last


@dataclass(slots=True, eq=False)
class Ignore:
    """A pragma and the lines that it covers.

    `used` are the entries of its list that silenced something; `due` the rules that a doubtful one should name.
    """

    comment: Comment
    pragma: Pragma
    lines: tuple[Lines, ...]
    used: set[Named] = field(default_factory=set)
    due: set[str] = field(default_factory=set)

    def reaches(self, place: Span) -> bool:
        return any(first <= place.line <= last for first, last in self.lines)


class Suppressions:
    """The ignore comments of a program."""

    def __init__(self, ignores: Mapping[Path, Sequence[Ignore]]) -> None:
        self.ignores = ignores

    @classmethod
    def of(cls, files: Iterable[tuple[Source, ast.Module]], known: Mapping[str, str]) -> Suppressions:
        """Those of all `files`; `known` maps the code of every rule to its name."""
        found = {source.path: list(_ignores(source, tree, known)) for source, tree in files}
        return cls({path: ignores for path, ignores in found.items() if ignores})

    def covers(self, path: Path, place: Span, code: str) -> bool:
        """Whether a comment silences the rule `code` where `place` begins. It is noted as one of use, then."""
        covered = False
        for ignore in self.ignores.get(path, ()):
            entry = next((named for named in ignore.pragma.named if named.code == code), None)
            if entry is not None and ignore.reaches(place):
                ignore.used.add(entry)
                covered = True
        return covered

    def doubtful(self, path: Path, place: Span, code: str) -> Ignore | None:
        """A comment about `place` that is not honoured, because it does not say for sure which rules it is for.

        That it should name the rule `code` is noted.
        """
        here = [each for each in self.ignores.get(path, ()) if each.pragma.doubtful and each.reaches(place)]
        for ignore in here:
            ignore.due.add(code)
        return here[0] if here else None

    def sift(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings that no comment silences. A fix that would touch what is kept is left to a person."""
        kept: dict[Fix, str] = {}
        left: list[Finding] = []
        for finding in findings:
            place = (finding.path, finding.span, finding.code)
            silent = self.covers(*place)
            doubt = None if silent else self.doubtful(*place)
            if finding.fix is not None and (silent or doubt):
                kept.setdefault(finding.fix, _kept(finding.path, finding.span))
            if silent:
                continue
            if doubt is not None and finding.fix is not None:
                reason = f"the ignore comment in line {doubt.comment.span.line} does not say that it is for this"
                finding = replace(finding, fix=None, reason=f"{reason}: name `{finding.code}` in it, or take it away")
            left.append(finding)
        for fix, reason in self._beside(left):
            kept.setdefault(fix, reason)
        return [replace(each, fix=None, reason=kept[each.fix]) if each.fix in kept else each for each in left]

    def _beside(self, findings: Sequence[Finding]) -> Iterator[tuple[Fix, str]]:
        """Fixes that would also change covered lines where nothing was found, such as an annotation's."""
        if not self.ignores:
            return
        found: dict[Fix, set[tuple[Path, int]]] = {}
        for finding in findings:
            if finding.fix is not None:
                lines = range(finding.span.line, finding.span.end_line + 1)
                found.setdefault(finding.fix, set()).update((finding.path, line) for line in lines)
        for finding in findings:
            if (fix := finding.fix) is None:
                continue
            for path, edits in fix.edits.items():
                for place in (edit.span for edit in edits if (path, edit.span.line) not in found[fix]):
                    if self.covers(path, place, finding.code) or self.doubtful(path, place, finding.code):
                        yield fix, _kept(path, place)


def _kept(path: Path, place: Span) -> str:
    return f"line {place.line} of {path.name} is kept as it is by an ignore comment"


def _ignores(source: Source, tree: ast.Module, known: Mapping[str, str]) -> Iterator[Ignore]:
    for comment in comments(source, known):
        line = comment.span.line
        if comment.alone:
            line = _line_below(source, line)
        lines = tuple(dict.fromkeys([(line, line), *_covered(tree.body, line)]))
        for pragma in comment.pragmas:
            yield Ignore(comment, pragma, ((1, len(source.lines)),) if pragma.file_wide else lines)


def _line_below(source: Source, line: int) -> int:
    """The line that comments on lines of their own are about: the next one with code, unless a blank one is between."""
    while line < len(source.lines) and source.lines[line - 1].lstrip().startswith("#"):
        line += 1
    return line


def _covered(body: Iterable[ast.AST], line: int) -> Iterator[Lines]:
    """The statements of `body` that a comment in `line` is about: a simple one, a header, all of a definition."""
    for node in body:
        parts = [part for part in ast.iter_child_nodes(node) if _has_lines(part)]
        first, last = _extent(node)
        if not first <= line <= last:
            continue
        if not parts:
            yield first, last
            continue
        header = first, max(_begin(node), min(_extent(part)[0] for part in parts) - 1)
        if header[0] <= line <= header[1]:
            yield (first, last) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else header
        yield from _covered(parts, line)


def _has_lines(node: ast.AST) -> bool:
    return isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case))


def _begin(node: ast.AST) -> int:
    place = node.pattern if isinstance(node, ast.match_case) else node
    number: int = getattr(place, "lineno", 0)
    return number


def _extent(node: ast.AST) -> Lines:
    """The first and the last line of a statement, an `except` or a `case`."""
    last = node.body[-1] if isinstance(node, ast.match_case) else node
    first = first_line(node) if isinstance(node, ast.stmt) else _begin(node)
    return first, getattr(last, "end_lineno", None) or first
