"""Drafts to findings: what hangs together becomes one fix, or is left to a person as a whole."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbos_asyncify.edits import AddAwait, Bracket, Edit, FromThread
from dbos_asyncify.findings import Finding, Fix, Safety
from dbos_asyncify.flow import streams
from dbos_asyncify.flow.annotations import annotation_edits
from dbos_asyncify.flow.declared import advice, other_wait
from dbos_asyncify.flow.uses import Use, Uses, kept_sites, origins, thread_call
from dbos_asyncify.project.program import Program, Unit
from dbos_asyncify.project.values import (
    DATA,
    NONE,
    UNKNOWN,
    WAITS,
    Api,
    Atom,
    Bound,
    Func,
    HandleMethod,
    Result,
    Site,
    Stream,
)
from dbos_asyncify.remedies.placement import taker_name
from dbos_asyncify.rules.awaited_sync_call import AwaitedSyncCall
from dbos_asyncify.rules.base import Draft, all_rules
from dbos_asyncify.source import span

_CALLABLE = (HandleMethod, Api, Func, Bound)


def _neutral(atom: Atom) -> bool:
    """What a variable can be besides, without being anything that could be called."""
    return atom is NONE or atom is DATA


def findings_of(program: Program) -> list[Finding]:
    """All findings of all rules, with their fixes; one finding a call."""
    drafts = list(_drafts(program))
    uses = Uses(program)
    return Join(program, uses, _awaited_later(program, uses, drafts)).findings()


def _drafts(program: Program) -> Iterator[Draft]:
    rules = sorted(all_rules().values(), key=lambda rule: (rule.precedence, rule.code))
    for call in program.calls():
        draft = next((draft for rule in rules if (draft := rule.check(program, call))), None)
        if draft is not None:
            yield draft


def _awaited_later(program: Program, uses: Uses, drafts: list[Draft]) -> list[Draft]:
    """A call whose result is awaited later, through a variable or a list, must not be awaited where it stands."""
    sites = {draft.call.site for draft in drafts if any(isinstance(edit, AddAwait) for edit in draft.edits)}
    taken: set[Site] = set()
    used: set[Site] = set()
    for use in uses.of(sites):
        value = program.value(use.unit, use.node)
        direct = origins(program.values, [atom for atom in value if isinstance(atom, Result)])
        if _is_awaited(program, use):
            taken |= origins(program.values, value, awaited=False) & sites
        elif direct and not _goes_on(use):
            used |= direct
    return [_unawaited(program, draft) if draft.call.site in taken - used else draft for draft in drafts]


def _is_awaited(program: Program, use: Use) -> bool:
    """Whether a value stands where something to await belongs."""
    parents = use.unit.facts.parents
    node: ast.AST = use.node
    if isinstance(parents[node], ast.Starred):
        node = parents[node]
    parent = parents[node]
    if isinstance(parent, ast.Call) and node in parent.args:
        return taker_name(program, use.unit, parent, node) is not None
    return isinstance(parent, ast.Await)


def _goes_on(use: Use) -> bool:
    """Whether a result is only kept: in a variable, in a list."""
    parent = use.unit.facts.parents[use.node]
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return parent.func.attr == "append"
    kept = (ast.Assign, ast.AnnAssign, ast.NamedExpr)
    collected = (ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.DictComp)
    return isinstance(parent, (*kept, *collected))


def _unawaited(program: Program, draft: Draft) -> Draft:
    edits = tuple(edit for edit in draft.edits if not isinstance(edit, (AddAwait, Bracket)))
    return AwaitedSyncCall.instead_of(program, replace(draft, edits=edits), concurrently=True)


@dataclass(slots=True)
class Group:
    """Calls whose handles or streams meet, so that they turn asynchronous together or not at all."""

    drafts: list[Draft] = field(default_factory=list)
    edits: dict[Path, list[Edit]] = field(default_factory=dict)
    reason: str = ""


class Join:
    """Groups the drafts by what flows between them."""

    def __init__(self, program: Program, uses: Uses, drafts: list[Draft]) -> None:
        self.program = program
        self.drafts = drafts
        self.found = {draft.call.node for draft in drafts}
        self.manual = {draft.call.site: draft for draft in drafts if draft.reason}
        self.turning = {draft.call.site: draft for draft in drafts if draft.turns and not draft.reason}
        self.leader = {site: site for site in self.turning}
        self.uses = list(uses.of(self.turning))
        self.reasons: dict[Site, str] = {}
        self.held: dict[Site, str] = {}  # calls whose handles stay synchronous, where that is a question
        self.extra: dict[Site, list[tuple[Path, Edit]]] = {}

    # groups of sites

    def find(self, site: Site) -> Site:
        while self.leader[site] != site:
            site = self.leader[site]
        return site

    def unite(self, sites: Iterable[Site]) -> None:
        first, *rest = sorted(sites)
        for site in rest:
            self.leader[self.find(site)] = self.find(first)

    def forbid(self, sites: Iterable[Site], reason: str) -> None:
        for site in sites:
            self.reasons.setdefault(site, reason)

    def findings(self) -> list[Finding]:
        self.follow()
        groups: dict[Site, Group] = {}
        for site in self.turning:
            groups.setdefault(self.find(site), Group())
        for site, reason in self.reasons.items():
            group = groups[self.find(site)]
            group.reason = group.reason or reason
        for site, added in self.extra.items():
            for path, edit in added:
                groups[self.find(site)].edits.setdefault(path, []).append(edit)
        alone: list[Finding] = []
        for draft in self.drafts:
            group_site = self.group_of(draft)
            if group_site is None:
                alone.append(self.single(draft))
            else:
                groups[group_site].drafts.append(draft)
        for leader, group in groups.items():
            alone.extend(self.grouped(leader, group))
        return sorted(alone, key=lambda finding: (finding.path, finding.span, finding.code))

    def group_of(self, draft: Draft) -> Site | None:
        """The group that a draft belongs to."""
        if draft.call.site in self.turning:
            return self.find(draft.call.site)
        shared = draft.origins & self.turning.keys()
        return self.find(min(shared)) if shared else None

    # what flows where

    def follow(self) -> None:
        """Go through all uses of what turns asynchronous."""
        for draft in self.drafts:
            shared = draft.origins & self.turning.keys()
            if shared:
                self.consumer(draft, shared)
        for use in self.uses:
            is_stream = any(isinstance(atom, Stream) for site in use.sites for atom in self.program.values.value(*site))
            if is_stream:
                self.stream(use)
            elif use.escape:
                settled = advice(self.program, use.unit, use.node)
                self.forbid(use.sites, f"{use.escape} ({_where(use)}){settled}")
            else:
                self.waiting(use)
        for site, draft in self.turning.items():
            if draft.edits == ():
                edit = streams.producer_edit(draft.call)
                if edit is None:
                    self.forbid([site], "the stream is read under another name: write an `async for` loop")
                else:
                    self.extra.setdefault(site, []).append((draft.call.path, edit))
        self.unknown_receivers()

    def consumer(self, draft: Draft, shared: frozenset[Site]) -> None:
        """A call that waits for handles of which some turn asynchronous."""
        self.unite(shared)
        handles = [
            atom.handle for atom in draft.call.callee if isinstance(atom, HandleMethod) and not atom.handle.declared
        ]
        declared = [a for a in draft.call.callee if isinstance(a, HandleMethod) and a.handle.declared]
        others = len(handles) + len(declared) < len([a for a in draft.call.callee if not _neutral(a)])
        line = draft.call.node.lineno
        if draft.origins != shared or others:
            reason = f"line {line} can wait for handles of both kinds: keep them apart"
            self.forbid(shared, reason)
            self.held.update(dict.fromkeys(draft.origins - shared, reason))
        elif draft.turned_reason:
            self.forbid(shared, f"line {line}: {draft.turned_reason}")

    def stream(self, use: Use) -> None:
        edits, reason = streams.consumer_edits(self.program, use)
        if reason:
            self.forbid(use.sites, reason)
        self.unite(use.sites)
        for edit in edits:
            self.extra.setdefault(min(use.sites), []).append((use.unit.source.path, edit))

    def waiting(self, use: Use) -> None:
        """`handle.get_result` in a thread, or in code that does not run on the loop."""
        unit, node = use.unit, use.node
        if not isinstance(node, ast.Attribute) or node.attr not in WAITS:
            return
        parent = unit.facts.parents[node]
        if not isinstance(parent, ast.Call):
            self.forbid(use.sites, f"`{ast.unparse(node)}` is handed on without being called ({_where(use)})")
            return
        if parent.func is not node:
            if thread_call(self.program, unit, parent):
                self.unite(use.sites)
                if origins(self.program.values, self.program.value(unit, node)) != use.sites:
                    self.forbid(use.sites, f"line {node.lineno} can wait for handles of both kinds: keep them apart")
                edit = FromThread(span(parent, unit.source))
                self.extra.setdefault(min(use.sites), []).append((unit.source.path, edit))
            return
        number = unit.facts.numbers[parent]
        if parent not in self.found:
            context = unit.facts.contexts[number]
            where = "inside `pytest.raises`" if context.on_loop else "in synchronous code"
            self.forbid(use.sites, f"`{ast.unparse(node)}()` is called {where} ({_where(use)})")

    def unknown_receivers(self) -> None:
        """A `get_result()` of something unknown: perhaps of such a handle, where one can have come there."""
        here: dict[tuple[int, int], set[Site]] = {}
        for use in self.uses:
            context = use.unit.facts.contexts[use.unit.facts.numbers[use.node]]
            here.setdefault((use.unit.number, context.function), set()).update(use.sites)
        kept = kept_sites(self.program) & self.turning.keys()
        beside = {number: {use.unit.number for use in self.uses if use.sites & kept} for number in self.program.units}
        for unit, call in self.unknown_waits() if self.turning else ():
            function = unit.facts.contexts[unit.facts.numbers[call]].function
            near = self.program.imported_by(unit) | {unit.number}
            sites = here.get((unit.number, function), set()) | (kept if near & beside[unit.number] else set())
            where = f"{unit.source.path.name}:{call.lineno}"
            reason = f"`{ast.unparse(call.func)}()` may wait for the same handle ({where})"
            self.forbid(sites, reason + other_wait(self.program, unit, call))

    def unknown_waits(self) -> Iterator[tuple[Unit, ast.Call]]:
        """Calls of `get_result` and `get_status` that nobody awaits, of something that is not known."""
        for unit in self.program.units.values():
            for node in unit.facts.numbers:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
                    callee = self.program.value(unit, node.func)
                    known = UNKNOWN not in callee and any(isinstance(atom, _CALLABLE) for atom in callee)
                    if not known and not isinstance(unit.facts.parents[node], ast.Await):
                        if self.program.declaration(unit, node.func) != "harmless":
                            yield unit, node

    # findings

    def single(self, draft: Draft) -> Finding:
        reason = draft.reason or self.held.get(draft.call.site, "")
        origin = next((self.manual[site] for site in sorted(draft.origins) if site in self.manual), None)
        if origin is not None and not reason:
            line = origin.call.node.lineno
            reason = f"what to do depends on the call that gives the handle (line {line}): {origin.reason}"
        fix = None if reason else Fix(draft.message, draft.safety, {draft.call.path: draft.edits})
        return _finding(draft, fix, reason)

    def grouped(self, leader: Site, group: Group) -> Iterator[Finding]:
        if group.reason:
            first = min(draft.call.node.lineno for draft in group.drafts if draft.turns)
            for draft in group.drafts:
                about = "" if draft.turns else f"it belongs to the fix of line {first}: "
                yield _finding(draft, None, about + group.reason)
            return
        edits = {path: list(found) for path, found in group.edits.items()}
        for draft in group.drafts:
            edits.setdefault(draft.call.path, []).extend(draft.edits if draft.turns else draft.turned)
        members = frozenset(site for site in self.turning if self.find(site) == leader)
        for unit, renames in annotation_edits(self.program, members).items():
            edits.setdefault(unit.source.path, []).extend(renames)
        interleaves = self.program.concurrency.interleaves
        unsafe = any(
            draft.safety is Safety.UNSAFE if draft.turns else interleaves(*draft.call.function_key)
            for draft in group.drafts
        )
        safety = Safety.UNSAFE if unsafe else Safety.SAFE
        title = next(draft.message for draft in group.drafts if draft.turns)
        fix = Fix(title, safety, {path: tuple(dict.fromkeys(found)) for path, found in edits.items()})
        for draft in group.drafts:
            if draft.turns or draft.turned:  # what is awaited already is right once the handle is asynchronous
                yield _finding(draft, fix, "")


def _finding(draft: Draft, fix: Fix | None, reason: str) -> Finding:
    call = draft.call
    return Finding(draft.rule.code, draft.rule.name, call.path, call.span, draft.message, draft.chain, fix, reason)


def _where(use: Use) -> str:
    return f"{use.unit.source.path.name}:{use.node.lineno}"
