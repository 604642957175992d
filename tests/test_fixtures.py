"""Every fixture, and what each of them gets for free."""

from __future__ import annotations

import ast
import codecs
import io
import re
import subprocess
import tokenize
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from dbos_asyncify.edits import AddArguments, EditComment, Hoist, InSequence, MakeAsync
from dbos_asyncify.findings import Change, Result
from dbos_asyncify.report.patch import patch
from dbos_asyncify.rules import Rule, all_rules
from dbos_asyncify.rules.unused_ignore import UnusedIgnore
from fixture_cases import FIXTURES, Case, Convert, cases

every_case = pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
Files = dict[Path, bytes]


@every_case
def test_findings_and_result(case: Case, update_fixtures: bool) -> None:
    result, after = case.migrated()
    assert not result.problems
    if update_fixtures:
        case.update(after, result.findings)
    assert case.listed(result.findings) == case.expected_findings()
    assert _text(after) == _text(case.after())


@every_case
def test_second_run_changes_nothing(case: Case) -> None:
    result, after = case.run(case.after())
    assert not result.problems
    assert _text(after) == _text(case.after())


@every_case
def test_comments_are_kept_and_it_compiles(case: Case) -> None:
    """All of them but the ignore comments that a finding is about."""
    result, after = case.migrated()
    for path, data in case.before().items():
        edited = {
            edit.span.line: edit.new
            for finding in result.findings
            if finding.fix is not None and finding.code == UnusedIgnore.code
            for edited_path, edits in finding.fix.edits.items()
            for edit in edits
            if isinstance(edit, EditComment) and edited_path.as_posix().endswith(path.as_posix())
        }
        kept = [edited.get(line, comment) for line, comment in _comments(data)]
        found = [comment for _, comment in _comments(after[path])]
        ordered = sorted if _moves(result) else list  # a function that moves takes its comments along
        assert ordered(found) == ordered(comment for comment in kept if comment)
        compile(after[path], str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@every_case
def test_lines_without_a_finding_are_untouched(case: Case) -> None:
    """They are all there, in order: but for imports, annotations of handles, loops over streams, what stands in
    helpers that become coroutine functions, where only the lines of the edits may differ. Functions that move take
    theirs along."""
    result, after = case.migrated()
    follows = re.compile(r"import|WorkflowHandle|\bfor\b|to_thread\(|\)\s*$")
    for path, data in case.before().items():
        touched: set[int] = set()
        for finding in result.findings:
            if finding.path.as_posix().endswith(path.as_posix()):
                touched.update(range(finding.span.line, finding.span.end_line + 1))
        for fix in {finding.fix for finding in result.findings if finding.fix}:
            edits = next((edits for changed, edits in fix.edits.items() if changed.match(path.as_posix())), ())
            if any(isinstance(edit, (MakeAsync, Hoist, AddArguments, InSequence)) for edit in edits):
                for edit in edits:
                    last = edit.span.line if isinstance(edit, MakeAsync) else edit.span.end_line
                    touched.update(range(edit.span.line, last + 1))
        lines = [
            line
            for number, line in enumerate(data.decode().split("\n"), start=1)
            if number not in touched and not follows.search(line)
        ]
        if _moves(result):
            assert not Counter(map(str.strip, lines)) - Counter(map(str.strip, after[path].decode().split("\n")))
            continue
        kept = iter(after[path].decode().split("\n"))
        bracketed = (any(found in (line, line + "]") for found in kept) for line in lines)
        assert all(bracketed)


def _moves(result: Result) -> bool:
    fixes = [finding.fix for finding in result.findings if finding.fix]
    return any(isinstance(edit, Hoist) for fix in fixes for edits in fix.edits.values() for edit in edits)


def crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def bare_end_and_mark(data: bytes) -> bytes:
    """A byte order mark, and no line end at the end."""
    return codecs.BOM_UTF8 + data.rstrip(b"\n")


@pytest.mark.parametrize(
    "case", [each for each in cases() if each.after() != each.before()], ids=lambda case: case.name
)
@pytest.mark.parametrize("convert", [crlf, bare_end_and_mark], ids=lambda convert: convert.__name__)
def test_line_ends_and_byte_order_mark(case: Case, convert: Convert) -> None:
    _, after = case.run({path: convert(data) for path, data in case.before().items()})
    assert _text(after) == _text({path: convert(data) for path, data in case.after().items()})


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.name)
def test_every_rule_has_fixtures(rule: type[Rule]) -> None:
    found = [case for case in cases() if case.folder.parent.name == rule.name]
    assert any(rule.code in case.expected_findings() for case in found)
    assert any(not case.expected_findings() for case in found), "no case without a finding"


def test_every_fixture_folder_is_a_rule() -> None:
    assert {folder.name for folder in FIXTURES.iterdir()} == {rule.name for rule in all_rules().values()}


def test_git_applies_the_patch(tmp_path: Path) -> None:
    """All cases as one repository: what `git apply` makes of the diff is what the other tests expect."""
    changes: list[Change] = []
    wanted: Files = {}
    for case in cases():
        for variant in (None, crlf, bare_end_and_mark):
            base = tmp_path / case.name / (variant.__name__ if variant else "plain")
            files, after = (
                {path: variant(data) if variant else data for path, data in side.items()}
                for side in (case.before(), case.after())
            )
            for path, data in files.items():
                target = base / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                wanted[target] = after[path]
                if after[path] != data:
                    changes.append(Change(target, data, after[path], "utf-8", ()))
    (tmp_path / "all.patch").write_bytes(patch(changes, tmp_path))
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "all.patch"]
    subprocess.run(command, cwd=tmp_path, check=True)
    for target, data in wanted.items():
        assert target.read_bytes() == data


def _text(files: Mapping[Path, bytes]) -> dict[str, str]:
    """For readable differences when a test fails."""
    return {path.as_posix(): data.decode() for path, data in files.items()}


def _comments(data: bytes) -> list[tuple[int, str]]:
    tokens = tokenize.tokenize(io.BytesIO(data).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
