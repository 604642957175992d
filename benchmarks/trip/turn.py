"""The inverse: one module's asynchronous calls in their synchronous form, as edits of its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from trip.api import Api
from trip.flows import Flows
from trip.scopes import Names
from trip.sites import LeftOut, Site, Sites, all_sites

_NEW, _OLD = "WorkflowHandleAsync", "WorkflowHandle"


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """Bytes from `start` to `end` are replaced."""

    start: int
    end: int
    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Turned:
    """A module with its calls turned: the new text, the sites (by their outer nodes in `tree`), and what stayed."""

    tree: ast.Module
    text: bytes
    sites: tuple[Site, ...]
    left_out: tuple[LeftOut, ...]


def turn(text: bytes, api: Api, stay: Set[int] = frozenset()) -> Turned:
    """The synchronous form of a module; what begins on the lines `stay` is left as it is."""
    tree = ast.parse(text)
    names = Names(tree)
    sites = Sites(tree, names, api)
    flows = Flows(tree, names, sites)
    for site in sites.found.values():
        if site.call.lineno in stay:
            flows.keep(site.outer, "left to a person")
    turned: list[Site] = []
    left_out = list(sites.left_out)
    for site in all_sites(sites):
        reason = flows.reason(site.outer)
        if reason:
            left_out.append(LeftOut(site.kind, site.outer, reason))
        else:
            turned.append(site)
    cuts = [cut for site in turned for cut in _Text(text, names).cuts(site)]
    cuts.extend(_annotations(text, tree, flows, [site.outer for site in turned]))
    return Turned(tree, _applied(text, cuts), tuple(turned), tuple(left_out))


def _applied(text: bytes, cuts: list[Cut]) -> bytes:
    for cut in sorted(set(cuts), reverse=True):
        text = text[: cut.start] + cut.text + text[cut.end :]
    return text


class _Text:
    """Where the nodes stand in the bytes of a module."""

    def __init__(self, text: bytes, names: Names) -> None:
        self.text = text
        self.names = names
        self.lines = _line_starts(text)

    def cuts(self, site: Site) -> Iterator[Cut]:
        if isinstance(site.outer, ast.Await):
            yield from self._awaited(site.outer)
        elif isinstance(site.outer, ast.AsyncFor):
            start = self._start(site.outer)
            yield Cut(start, start + len(b"async "))
        else:
            start = self.text.rindex(b"async", 0, self._start(site.outer.target))
            yield Cut(start, start + len(b"async "))
        func = site.call.func
        if site.is_thread:
            yield from self._threaded(site.call)
        elif site.form is not None:
            assert isinstance(func, ast.Attribute)
            start = self._end(func) - len(func.attr)
            assert self.text[start : self._end(func)] == func.attr.encode()
            end = self._end(site.call) if site.form.is_property else self._end(func)
            yield Cut(start, end, site.form.name.encode())

    def _awaited(self, node: ast.Await) -> Iterator[Cut]:
        start, end = self._start(node), self._end(node)
        word = re.compile(rb"await\s*").match(self.text, start)
        assert word is not None
        parent = self.names.parents[node]
        bound = isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is node
        before = re.search(rb"\(\s*\Z", self.text[:start])
        after = re.compile(rb"\s*\)").match(self.text, end)
        if bound and before and after:
            yield Cut(before.start(), word.end())
            yield Cut(end, after.end())
        else:
            yield Cut(start, word.end())

    def _threaded(self, call: ast.Call) -> Iterator[Cut]:
        target = call.args[0]
        yield Cut(self._start(call), self._start(target))
        if len(call.args) + len(call.keywords) > 1:
            comma = re.compile(rb"\s*,\s*").match(self.text, self._end(target))
            assert comma is not None
            yield Cut(comma.start(), comma.end(), b"(")
        else:
            yield Cut(self._end(target), self._end(call), b"()")

    def _start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.lines[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.lines[node.end_lineno - 1] + node.end_col_offset


def _annotations(text: bytes, tree: ast.Module, flows: Flows, turned: list[ast.AST]) -> Iterator[Cut]:
    """`WorkflowHandleAsync` in the annotations of what holds the turned handles, and the import of the other name."""
    lines = _line_starts(text)
    groups = {flows.leader_of(outer) for outer in turned}
    renamed: set[ast.AST] = set()
    for annotation, leader in flows.annotated():
        if leader in groups:
            for node in ast.walk(annotation):
                if isinstance(node, ast.Name) and node.id == _NEW:
                    renamed.add(node)
                    end = lines[node.lineno - 1] + node.col_offset + len(_NEW)
                    yield Cut(end - len("Async"), end)
    if not renamed:
        return
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == _NEW]
    aliases = [a for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names]
    if any(alias.name == _OLD for alias in aliases):
        return
    alias = next(alias for alias in aliases if alias.name == _NEW)
    start = lines[alias.lineno - 1] + alias.col_offset
    new = _OLD if renamed.issuperset(uses) else f"{_OLD}, {_NEW}"
    yield Cut(start, start + len(_NEW), new.encode())


def _line_starts(text: bytes) -> list[int]:
    return [0, *(match.end() for match in re.finditer(rb"\n", text))]
