"""How each turned call came back, and what else the tool did to the file."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dbos_asyncify.findings import Finding
from trip.erase import Eraser, form, imports
from trip.sites import Site
from trip.turn import Turned

ANNOTATION = "annotation"


class Verdict(str, Enum):
    """What became of a place."""

    EXACT = "exact"
    OTHER_WAY = "another way"
    REPORTED = "reported"
    SILENT = "missed"
    WRONG = "wrong"
    BEFORE = "wrong already in the original"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One place of the original file, what kind of call it is, and what became of it."""

    path: Path
    line: int
    kind: str
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class States:
    """The texts of one file: as released, turned, and what the tool makes of each."""

    path: Path
    original: bytes
    turned: Turned
    restored: bytes
    fixed_original: bytes
    findings: Sequence[Finding]


Place = tuple[int, int, int, int]


def outcomes(states: States, properties: frozenset[str]) -> list[Outcome]:
    """What became of every call that was turned, and of every other place that is not as it was."""
    texts = (states.original, states.turned.text, states.restored, states.fixed_original)
    erased = [Eraser(properties).erased(text) for text in texts]
    dumps = [ast.dump(tree) for tree in erased]
    if len(set(dumps)) > 1:
        names = ("original", "turned", "restored", "fixed original")
        odd = ", ".join(name for name, dump in zip(names, dumps, strict=True) if dump != dumps[0])
        return [Outcome(states.path, 1, "file", Verdict.WRONG, f"more than forms of calls differs: {odd}")]
    kinds = {_place_of(site): site.kind for site in states.turned.sites}
    found: dict[Place, Outcome] = {}
    for nodes in zip(*map(ast.walk, erased), strict=True):
        forms = [form(node) for node in nodes]
        if len(set(forms)) > 1:
            place = _place(nodes[0])
            if place not in found or found[place].verdict is Verdict.EXACT:  # a loop, then what it goes through
                found[place] = _outcome(states, kinds.get(place, ""), nodes, forms)
    return [*found.values(), *_imported(states)]


def _imported(states: States) -> list[Outcome]:
    before, turned, after = map(imports, map(ast.parse, (states.original, states.turned.text, states.restored)))
    extra = imports(ast.parse(states.fixed_original))
    odd = (before - after) | (after - before - turned - extra)
    return [Outcome(states.path, 1, "import", Verdict.WRONG, name) for name in sorted(odd)]


def _outcome(states: States, kind: str, nodes: tuple[ast.AST, ...], forms: list[str]) -> Outcome:
    original, turned, restored, fixed_original = forms
    line = _place(nodes[0])[0]
    note = ""
    if "handle" in original:
        kind = ANNOTATION
    if original == turned:
        verdict = Verdict.BEFORE if restored == fixed_original else Verdict.WRONG
        kind, note = kind or "not turned", f"`{ast.unparse(nodes[2])}`: {restored}"
    elif restored == original:
        verdict = Verdict.EXACT
    elif restored == turned:
        about = [finding for finding in states.findings if tuple(finding.span) == _place(nodes[1])]
        verdict = Verdict.REPORTED if about else Verdict.SILENT
        note = "; ".join(f"{finding.code} {finding.reason or finding.safety.value}" for finding in about)
    else:
        right = {"await", "thread"} == set(restored.split())
        verdict = Verdict.OTHER_WAY if right else Verdict.WRONG
        note = f"`{ast.unparse(nodes[2])}`: {restored}, not {original}"
    return Outcome(states.path, line, kind or "?", verdict, note)


def _place_of(site: Site) -> Place:
    """Where the node stands whose form tells what became of a site."""
    is_property = site.form is not None and site.form.is_property
    return _place(site.call.func if is_property else site.call)


def _place(node: ast.AST) -> Place:
    """Lines and columns of a node; of a loop those of what it goes through."""
    at = node.iter if isinstance(node, (ast.For, ast.comprehension)) else node
    assert isinstance(at, (ast.expr, ast.stmt))
    return at.lineno, at.col_offset, at.end_lineno or 0, at.end_col_offset or 0
