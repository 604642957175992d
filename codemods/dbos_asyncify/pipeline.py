"""The way of the data: sources -> program -> rules -> findings and edits -> verified changes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbos_asyncify import dbos_api
from dbos_asyncify.edits import Edit
from dbos_asyncify.edits.rewrite import EditError, rewrite
from dbos_asyncify.findings import Change, Finding, Fix, Problem, Replacement, Result, Safety
from dbos_asyncify.flow import findings_of
from dbos_asyncify.flow.annotations import import_edits
from dbos_asyncify.impact import impact_of
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.symbols import Declaration
from dbos_asyncify.replacements import replacements
from dbos_asyncify.rules import all_rules
from dbos_asyncify.rules.blocking_helper import BlockingHelper
from dbos_asyncify.rules.unused_ignore import UnusedIgnore
from dbos_asyncify.source import Source, SourceError, from_bytes, parse
from dbos_asyncify.suppress import Suppressions
from dbos_asyncify.verify import VerifyError, verify

_GENERATED = re.compile(r"@generated\b|\bgenerated\b.*\bdo not edit\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may do: which rules count in which file (`enabled`), which fixes, for which versions, in which files.

    `editable` are the files that may be reported and changed (None: all); the others are only read. `locked` are
    those that cannot be written: what is wrong in them is reported, but a fix that touches them is left to a person.
    `declare` says what symbols are, by their dotted names. Helpers stay as they are where something that is no Python
    code would have to follow: those named as `entry_points`, and all in the files that are `stubbed`. `replacements`
    asks for the text of each fix by itself.
    """

    enabled: Callable[[str, Path], bool] = lambda code, path: True
    unsafe_fixes: bool = False
    dbos_version: str | None = None
    target_python: tuple[int, int] | None = None
    workflows_only: bool = False
    promote_helpers: bool = True
    editable: frozenset[Path] | None = None
    locked: frozenset[Path] = frozenset()
    entry_points: frozenset[str] = frozenset()
    stubbed: frozenset[Path] = frozenset()
    declare: Mapping[str, Declaration] = field(default_factory=dict)
    replacements: bool = False


def analyse(sources: Iterable[Source], files: Sequence[Path], root: Path, options: Options) -> Result:
    """Find what is wrong in `sources` and make the changes that `options` allow, in memory.

    `files` are all files of the project below `root`, whether they take part or not: imports are resolved among
    them. Nothing is written.
    """
    problems: list[Problem] = []
    modules = ModuleMap(files, root)
    generated: set[Path] = set()
    unread: list[str] = []
    parsed: list[tuple[int, Source, ast.Module]] = []
    for source in sources:
        number = modules.number(source.path)
        assert number is not None
        if is_generated(source.text):
            generated.add(source.path)
        try:
            parsed.append((number, source, parse(source)))
        except SourceError as error:
            problems.append(problem_of(error))
            unread.append(source.text)
    editable = frozenset(source.path for _, source, _ in parsed) if options.editable is None else options.editable
    catalogue = dbos_api.load(options.dbos_version)
    kinds = {name: declaration.kind for name, declaration in options.declare.items()}
    writable = editable - generated - options.locked
    suppressions = Suppressions.of(
        [(source, tree) for _, source, tree in parsed], {code: rule.name for code, rule in all_rules().items()}
    )
    program = Program.build(
        parsed,
        modules,
        catalogue,
        options.target_python,
        kinds,
        unread=unread,
        entry_points=options.entry_points,
        convertible=frozenset(
            path
            for path in writable - options.stubbed
            if options.promote_helpers and options.enabled(BlockingHelper.code, path)
        ),
        silenced=suppressions.covers,
        enabled=options.enabled,
    )
    for path in program.too_deep:
        problems.append(Problem(path, "nested too deeply to be analysed", "DBA900"))
    allowed = replace(options, editable=editable - generated)
    findings = _sifted(program, suppressions, options, complete=not problems)
    findings = [finding for finding in findings if _counts(program, finding, allowed)]
    findings = [_confined(finding, writable) for finding in findings]
    changes, applied, more = _changes(program, findings, options)
    problems = [
        problem for problem in (*problems, *more) if options.editable is None or problem.path in options.editable
    ]
    for name, message in program.undefined.items():
        declaration = options.declare[name]
        problems.append(Problem(declaration.path, f"`{name}` in `declare`: {message}", line=declaration.line))
    looked_at = len(files) if options.editable is None else len(options.editable)
    taking_part = sum(unit.source.path in editable for unit in program.units.values())
    return Result(
        tuple(findings),
        tuple(changes),
        tuple(problems),
        looked_at,
        taking_part,
        applied,
        impact_of(program, changes, applied),
        _replacements(program, findings) if options.replacements else {},
    )


def is_generated(text: str) -> bool:
    """Whether a file says in its first comments that a program wrote it: a change would be lost."""
    first = text.lstrip().splitlines()[:5]
    return any(line.startswith("#") and _GENERATED.search(line) for line in first)


def problem_of(error: SourceError) -> Problem:
    """A file that could not be read or parsed, as the reports show it."""
    return Problem(error.path, error.message, "DBA900", error.line, error.column)


def _sifted(program: Program, suppressions: Suppressions, options: Options, *, complete: bool) -> list[Finding]:
    """All findings that no comment silences, and those about such comments."""
    findings = suppressions.sift(findings_of(program))
    findings.extend(UnusedIgnore.findings(suppressions, options.enabled, complete=complete))
    return sorted(findings, key=lambda finding: (finding.path, finding.span, finding.code))


def _counts(program: Program, finding: Finding, options: Options) -> bool:
    if options.editable is not None and finding.path not in options.editable:
        return False
    if options.workflows_only and not program.in_workflow_code(finding.path, finding.span):
        return False
    return options.enabled(finding.code, finding.path)


def _confined(finding: Finding, writable: Set[Path]) -> Finding:
    """A fix that would have to change files that are not to be written is left to a person."""
    outside = sorted(str(path) for path in finding.fix.edits if path not in writable) if finding.fix else []
    if not outside:
        return finding
    reason = f"the fix would also change {', '.join(outside)}: not among the paths given, generated, or not writable"
    return replace(finding, fix=None, reason=reason)


def _changes(
    program: Program, findings: Sequence[Finding], options: Options
) -> tuple[list[Change], frozenset[Fix], list[Problem]]:
    """Carry out the allowed fixes. A file that fails verification takes the fixes that touch it out of the run."""
    allowed = {
        finding.fix
        for finding in findings
        if finding.fix and (finding.fix.safety is Safety.SAFE or options.unsafe_fixes)
    }
    problems: list[Problem] = []
    while True:
        changes, failed = _carry_out(program, findings, frozenset(allowed))
        if not failed:
            return changes, frozenset(allowed), problems
        problems.extend(failed)
        broken = {problem.path for problem in failed}
        allowed = {fix for fix in allowed if not broken & fix.edits.keys()}


def _carry_out(
    program: Program, findings: Sequence[Finding], fixes: frozenset[Fix]
) -> tuple[list[Change], list[Problem]]:
    changes: list[Change] = []
    failed: list[Problem] = []
    for unit in sorted(program.units.values(), key=lambda unit: unit.source.path):
        path = unit.source.path
        edits = [edit for fix in sorted(fixes, key=_order(findings)) for edit in fix.edits.get(path, ())]
        edits = list(dict.fromkeys(edits))
        if not edits:
            continue
        edits.extend(import_edits(program, unit, edits))
        try:
            after = _rewritten(unit, edits)
        except (EditError, VerifyError) as error:
            failed.append(Problem(path, f"left as it is, the rewrite could not be proven: {error}", "DBA902"))
            continue
        mended = [finding for finding in findings if finding.fix in fixes and path in finding.fix.edits]
        here = tuple(finding for finding in mended if finding.path == path)
        elsewhere = tuple(finding for finding in mended if finding.path != path)
        changes.append(Change(path, unit.source.data, after, unit.source.encoding, here, elsewhere))
    return changes, failed


def _replacements(program: Program, findings: Sequence[Finding]) -> dict[Fix, tuple[Replacement, ...]]:
    """The text of each fix; empty for one that cannot be carried out."""
    found: dict[Fix, tuple[Replacement, ...]] = {}
    for finding in findings:
        if finding.fix is not None and finding.fix not in found:
            try:
                found[finding.fix] = tuple(replacements(program, finding.fix))
            except EditError:
                found[finding.fix] = ()
    return found


def _order(findings: Sequence[Finding]) -> Callable[[Fix], int]:
    places: Mapping[int, int] = {id(finding.fix): index for index, finding in enumerate(findings)}
    return lambda fix: places[id(fix)]


def _rewritten(unit: Unit, edits: Sequence[Edit]) -> bytes:
    text = rewrite(unit.source, unit.tree, edits)
    try:
        data = unit.source.encode(text)
    except UnicodeEncodeError as error:
        raise EditError(f"the encoding {unit.source.encoding} lacks a character: {error}") from error
    verify(unit.source, unit.tree, text, edits)
    return data


def rewrite_text(text: str, path: Path = Path("module.py"), options: Options | None = None) -> str:
    """The text of one module with all safe fixes carried out. Raises SourceError for what does not parse."""
    source = from_bytes(path, text.encode())
    parse(source)
    result = analyse([source], [path], path.parent, options or Options())
    return result.changes[0].after.decode() if result.changes else text
