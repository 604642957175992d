"""Drafts to findings: what hangs together becomes one fix, or is left to a person as a whole."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

from dbos_asyncify.edits import AddAwait, Bracket, Edit, FromThread, MakeAsync
from dbos_asyncify.findings import Finding, Fix, StepChange
from dbos_asyncify.flow import streams
from dbos_asyncify.flow.annotations import all_annotations, annotation_edits
from dbos_asyncify.flow.children import with_children
from dbos_asyncify.flow.crossings import Crossings
from dbos_asyncify.flow.declared import advice, other_wait
from dbos_asyncify.flow.effects import step_change
from dbos_asyncify.flow.helpers import Helpers, Local, on_loop
from dbos_asyncify.flow.promotion import Promotion
from dbos_asyncify.flow.uses import Use, Uses, kept_sites, origins, thread_call
from dbos_asyncify.project.program import AttributeSite, CallSite, FunctionKey, Program, Unit
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
from dbos_asyncify.rules.base import Draft, Rule, all_rules
from dbos_asyncify.source import span

RESULT_ORDER = "this runs beside others of its workflow: a result gets its number when it arrives, in any order"
_CALLABLE = (HandleMethod, Api, Func, Bound)


def _neutral(atom: Atom) -> bool:
    """What a variable can be besides, without being anything that could be called."""
    return atom is NONE or atom is DATA


def findings_of(program: Program) -> list[Finding]:
    """All findings of all rules, with their fixes; one finding a call.

    Which helpers become coroutine functions is found by trying: those whose fix fails as a whole (a handle that goes
    out of sight, say) stay as they are in the next try.
    """
    local = cache(partial(_local, program))
    helpers = Helpers(program, local)
    promotion = Promotion(program, helpers, local)
    uses = Uses(program)
    failed: frozenset[FunctionKey] = frozenset()
    while True:
        view = program.with_promoted(promotion.functions(without=failed))
        drafts = [draft for draft in _drafts(view, local, Crossings(view, helpers)) if not _silenced(view, draft)]
        drafts = with_children(view, drafts, _drafts_of, failed)
        join = Join(view, uses, _awaited_later(view, uses, drafts))
        findings = join.findings()
        if not join.failed:
            return findings
        failed |= join.failed


def _drafts_of(program: Program) -> Iterator[Draft]:
    """All drafts of a program, as `findings_of` finds them."""
    local = cache(partial(_local, program))
    found = _drafts(program, local, Crossings(program, Helpers(program, local)))
    return (draft for draft in found if not _silenced(program, draft))


def _local(program: Program, call: CallSite) -> Draft | None:
    """What the rules find at a call by itself."""
    return next((draft for rule in _rules(besides=False) if (draft := rule.check(program, call))), None)


def _besides(program: Program, call: CallSite) -> Iterator[Draft]:
    """What the rules find at a call that speak besides the one that says how to make it asynchronous."""
    yield from filter(None, (rule.check(program, call) for rule in _rules(besides=True)))


@cache
def _rules(*, besides: bool) -> tuple[type[Rule], ...]:
    """The rules that speak of a call besides others, or those of which the first speaks."""
    rules = sorted(all_rules().values(), key=lambda rule: (rule.precedence, rule.code))
    return tuple(rule for rule in rules if rule.besides is besides)


def _of_attribute(program: Program, attribute: AttributeSite) -> Iterator[Draft]:
    yield from filter(None, (rule.check_attribute(program, attribute) for rule in all_rules().values()))


def _silenced(program: Program, draft: Draft) -> bool:
    return program.silenced(draft.call.path, draft.call.span, draft.rule.code)


def _anywhere(program: Program, call: CallSite) -> Draft | None:
    """What the rules that look at synchronous code too find at a call there."""
    rules = [rule for rule in all_rules().values() if rule.anywhere]
    return next((draft for rule in rules if (draft := rule.check(program, call))), None)


def _drafts(program: Program, local: Local, crossings: Crossings) -> Iterator[Draft]:
    found: list[Draft] = []
    besides: list[Draft] = []
    for call in program.calls():
        draft = local(call) or crossings.draft(call)
        if draft is not None and (draft.rule.blocks or call.function_key not in program.promoted):
            found.append(draft)
        if call.function_key not in program.promoted:
            besides.extend(_besides(program, call))
    yield from (*found, *besides)
    for call in program.synchronous_calls():
        draft = _anywhere(program, call)
        if draft is not None:
            yield draft
        if call.function_key in program.concurrency.workflow_code:  # `def start(task): return create_task(task)`
            yield from _besides(program, call)
    for unit, spot in on_loop(program):
        draft = crossings.implicit(unit, spot)
        if draft is not None:
            yield draft
    for attribute in program.attributes():
        yield from _of_attribute(program, attribute)
    mended = {draft.call.site: draft for draft in found if draft.edits}
    for unit in program.units.values():
        for rule in all_rules().values():
            yield from (_after(mended, draft) for draft in rule.check_unit(program, unit))


def _after(mended: Mapping[Site, Draft], draft: Draft) -> Draft:
    """What is found besides at a call that is awaited in another way already: a person must do the rest."""
    other = mended.get(draft.call.site)
    if other is None or not any(isinstance(edit, AddAwait) for edit in draft.edits):
        return draft
    reason = f"{other.rule.code} mends the same call in another way: make the value in a step, and hand it in"
    return replace(draft, edits=(), reason=reason)


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
        colours = [draft for draft in drafts if not draft.rule.besides]
        self.found = {draft.call.node for draft in colours}
        self.manual = {draft.call.site: draft for draft in colours if draft.reason}
        self.turning = {draft.call.site: draft for draft in colours if draft.turns and not draft.reason}
        self.leader = {site: site for site in self.turning}
        self.homes = {key: _home(program, key) for key in program.promoted}
        self.children = {key: _home(program, key) for draft in drafts for key in draft.children}
        self.leader.update({site: site for site in (*self.homes.values(), *self.children.values())})
        self.failed: frozenset[FunctionKey] = frozenset()
        self.uses = list(uses.of(self.turning))
        self.annotations = all_annotations(program) if self.turning else []
        self.reasons: dict[Site, str] = {}
        self.held: dict[Site, str] = {}  # calls whose handles stay synchronous, where that is a question
        self.extra: dict[Site, list[tuple[Path, Edit]]] = {}

    # groups of sites

    def find(self, site: Site) -> Site:
        while self.leader[site] != site:
            site = self.leader[site]
        return site

    def unite(self, sites: Iterable[Site]) -> None:
        ordered = sorted(sites)
        for site in ordered[1:]:
            self.leader[self.find(site)] = self.find(ordered[0])

    def forbid(self, sites: Iterable[Site], reason: str) -> None:
        for site in sites:
            self.reasons.setdefault(site, reason)

    def findings(self) -> list[Finding]:
        """The findings; none where `failed` names functions that must stay as they are after all."""
        self.follow()
        groups: dict[Site, Group] = {}
        for site in self.leader:
            groups.setdefault(self.find(site), Group())
        for site, reason in self.reasons.items():
            group = groups[self.find(site)]
            group.reason = group.reason or reason
        for site, added in self.extra.items():
            for path, edit in added:
                groups[self.find(site)].edits.setdefault(path, []).append(edit)
        alone: list[Finding] = []
        within: list[Draft] = []
        for draft in self.drafts:
            group_site = self.group_of(draft)
            if self.needs_promotion(draft):
                within.append(draft)
            elif group_site is None:
                alone.append(self.single(draft))
            else:
                groups[group_site].drafts.append(draft)
        homes = (*self.homes.items(), *self.children.items())
        self.failed = frozenset(key for key, home in homes if groups[self.find(home)].reason)
        if self.failed:
            return []
        fixes = {leader: self.fix_of(leader, group) for leader, group in groups.items() if not group.reason}
        for leader, group in groups.items():
            alone.extend(self.grouped(group, fixes.get(leader)))
        for draft in within:
            alone.append(self.inside(draft, fixes[self.find(self.homes[draft.call.function_key])]))
        return sorted(alone, key=lambda finding: (finding.path, finding.span, finding.code))

    def group_of(self, draft: Draft) -> Site | None:
        """The group that a draft belongs to."""
        if draft.children:
            return self.find(min(self.children[key] for key in draft.children))
        if draft.rule.besides:
            return None
        if draft.call.site in self.turning:
            return self.find(draft.call.site)
        tied = (draft.origins & self.turning.keys()) | self.homes_of(draft)
        return self.find(min(tied)) if tied else None

    def homes_of(self, draft: Draft) -> frozenset[Site]:
        """The promoted functions that a draft calls, and the one that it stands in."""
        keys = {draft.call.function_key, *draft.promotes} if draft.rule.blocks else draft.promotes
        return frozenset(self.homes[key] for key in keys if key in self.homes)

    # what flows where

    def follow(self) -> None:
        """Go through all uses of what turns asynchronous."""
        for draft in self.drafts:
            children = frozenset(self.children[key] for key in draft.children)
            if draft.rule.besides:
                self.unite(children)
                continue
            shared = draft.origins & self.turning.keys()
            if shared:
                self.consumer(draft, shared)
            tied = shared | self.homes_of(draft) | children | ({draft.call.site} & self.turning.keys())
            if tied:
                self.unite(tied)
            if draft.reason and (draft.promotes or draft.call.function_key in self.homes):
                self.forbid(tied, draft.reason)
        for key, home in self.homes.items():
            unit = self.program.units[key[0]]
            function = unit.facts.functions[key[1]]
            assert isinstance(function.node, ast.FunctionDef)
            self.extra.setdefault(home, []).append((unit.source.path, MakeAsync(span(function.node, unit.source))))
        for annotation in self.annotations:  # what shares an annotation has to agree
            self.unite(annotation.sites & self.turning.keys())
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
                assert isinstance(draft.call, CallSite)
                edit = streams.producer_edit(self.program, draft.call)
                if edit is None:
                    self.forbid([site], "the stream is read under another name: write an `async for` loop")
                else:
                    self.extra.setdefault(site, []).append((draft.call.path, edit))
        self.unknown_receivers()

    def consumer(self, draft: Draft, shared: frozenset[Site]) -> None:
        """A call that waits for handles of which some turn asynchronous."""
        assert isinstance(draft.call, CallSite)
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
            where = "in synchronous code"
            if self.program.on_loop(unit, context):
                expected = self.program.expects_error(unit, context)
                where = "inside `pytest.raises`" if expected else "under an ignore comment"
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
        reason = draft.reason or ("" if draft.rule.besides else self.held.get(draft.call.site, ""))
        origin = next((self.manual[site] for site in sorted(draft.origins) if site in self.manual), None)
        if origin is not None and not reason:
            line = origin.call.node.lineno
            reason = f"what to do depends on the call that gives the handle (line {line}): {origin.reason}"
        if reason:
            return _finding(draft, None, reason)
        edits: dict[Path, list[Edit]] = {draft.call.path: list(draft.edits)} if draft.edits else {}
        for path, edit in draft.elsewhere:
            edits.setdefault(path, []).append(edit)
        every = {path: tuple(found) for path, found in edits.items()}
        return _finding(draft, Fix(draft.message, every, draft.caution, self.step_changes([draft])), "")

    def grouped(self, group: Group, fix: Fix | None) -> Iterator[Finding]:
        if fix is None:
            first = min(draft.call.node.lineno for draft in group.drafts if draft.turns)
            for draft in group.drafts:
                about = "" if draft.turns else f"it belongs to the fix of line {first}: "
                yield _finding(draft, None, about + group.reason)
            return
        for draft in group.drafts:
            told = draft.turns or self.edits_of(draft) or draft.promotes or draft.children
            if told and draft.call.function_key not in self.homes:
                yield _finding(draft, fix, "")

    def fix_of(self, leader: Site, group: Group) -> Fix:
        """What mends a whole group."""
        edits = {path: list(found) for path, found in group.edits.items()}
        for draft in group.drafts:
            edits.setdefault(draft.call.path, []).extend(self.edits_of(draft))
            for path, edit in draft.elsewhere:
                edits.setdefault(path, []).append(edit)
        members = frozenset(site for site in self.turning if self.find(site) == leader)
        for unit, renames in annotation_edits(self.program, self.annotations, members).items():
            edits.setdefault(unit.source.path, []).extend(renames)
        drafts = sorted(group.drafts, key=lambda draft: not draft.rule.besides)  # what the others depend on
        caution = next(filter(None, map(self.caution_of, drafts)), "")
        own = [draft for draft in group.drafts if draft.call.function_key not in self.homes]
        title = next((draft.message for draft in own if draft.turns), own[0].message if own else "")
        deduplicated = {path: tuple(dict.fromkeys(found)) for path, found in edits.items() if found}
        return Fix(title, deduplicated, caution, self.step_changes(group.drafts))

    def needs_promotion(self, draft: Draft) -> bool:
        """Whether a draft awaits in a function that becomes a coroutine function for another reason."""
        awaits = any(isinstance(edit, AddAwait) for edit in draft.edits)
        return awaits and not draft.rule.blocks and draft.call.function_key in self.homes

    def inside(self, draft: Draft, promotion: Fix) -> Finding:
        """The finding in such a function: its fix holds that which makes a coroutine function of it."""
        edits = dict(promotion.edits)
        edits[draft.call.path] = (*edits.get(draft.call.path, ()), *draft.edits)
        changes = (*promotion.step_changes, *self.step_changes([draft]))
        return _finding(draft, Fix(draft.message, edits, draft.caution, changes), "")

    def edits_of(self, draft: Draft) -> tuple[Edit, ...]:
        """What a draft of a group does: `turned` where the handle that it waits for becomes asynchronous.

        Nothing is left to do there for what is awaited already.
        """
        return draft.turned if draft.origins & self.turning.keys() else draft.edits

    def caution_of(self, draft: Draft) -> str:
        if not draft.origins & self.turning.keys():
            return draft.caution
        return RESULT_ORDER if self.program.concurrency.runs_beside(*draft.call.function_key) else ""

    def step_changes(self, drafts: Iterable[Draft]) -> tuple[StepChange, ...]:
        found = (step_change(self.program, draft, unsafe=bool(self.caution_of(draft))) for draft in drafts)
        return tuple(change for change in found if change is not None)


def _home(program: Program, key: FunctionKey) -> Site:
    """What a promoted function goes by among the sites: its definition."""
    return Site(key[0], program.units[key[0]].facts.functions[key[1]].value)


def _finding(draft: Draft, fix: Fix | None, reason: str) -> Finding:
    call = draft.call
    return Finding(draft.rule.code, draft.rule.name, call.path, call.span, draft.message, draft.chain, fix, reason)


def _where(use: Use) -> str:
    return f"{use.unit.source.path.name}:{use.node.lineno}"
