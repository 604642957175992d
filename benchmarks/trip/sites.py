"""The places where a module calls dbos asynchronously, and which of them have a synchronous form at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from trip.api import Api, Form
from trip.receivers import Receivers
from trip.scopes import Names

WAITS = ("get_result", "get_status")
_RUNNERS = ("gather", "create_task", "ensure_future", "wait_for", "wait", "asyncio_wait", "as_completed", "shield")


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """An asynchronous call. `outer` is what makes it so: the `await`, or the loop (or part of a comprehension)."""

    kind: str
    outer: ast.Await | ast.AsyncFor | ast.comprehension
    call: ast.Call
    form: Form | None = None

    @property
    def is_thread(self) -> bool:
        return self.kind.startswith("to_thread")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A place that the inverse does not turn, and why."""

    kind: str
    node: ast.AST
    reason: str


class Sites:
    """All asynchronous calls of a module: those that can be turned, and the others with the reason."""

    def __init__(self, tree: ast.Module, names: Names, api: Api) -> None:
        self.names = names
        self.receivers = Receivers(names, api)
        self.api = api
        self.found: dict[ast.AST, Site] = {}
        self.left_out: list[LeftOut] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._call(node)

    def _call(self, call: ast.Call) -> None:
        owner, name = self.receivers.callee(call)
        form = self.api.forms.get(owner, {}).get(name)
        parent = self.names.parents[call]
        if form is not None:
            self._pair(call, f"{owner}.{_family(form)}", form, parent)
        elif isinstance(parent, ast.Await) and ast.unparse(call.func) == "asyncio.to_thread":
            kind = self._threaded(call)
            if kind:
                self._add(Site(kind, parent, call))
        elif name in WAITS and isinstance(parent, ast.Await):
            self._add(Site(f"handle.{name}", parent, call))
        elif name.endswith("_async") and isinstance(call.func, ast.Attribute) and not owner:
            if any(name in forms for forms in self.api.forms.values()):
                self.left_out.append(LeftOut(f"?.{name}", call, "the receiver is not known"))

    def _pair(self, call: ast.Call, kind: str, form: Form, parent: ast.AST) -> None:
        loop = isinstance(parent, (ast.AsyncFor, ast.comprehension)) and parent.iter is call
        if form.is_generator and loop:
            assert isinstance(parent, (ast.AsyncFor, ast.comprehension))
            self._add(Site(kind, parent, call, form))
        elif isinstance(parent, ast.Await) and not form.is_generator:
            self._add(Site(kind, parent, call, form))
        elif not isinstance(parent, ast.Await) and not form.name.startswith("create"):
            self.left_out.append(LeftOut(kind, call, self.not_awaited(call)))

    def not_awaited(self, node: ast.AST) -> str:
        """Why a coroutine is not awaited where it is made."""
        for above in self.names.above(node):
            if isinstance(above, ast.Call) and ast.unparse(above.func).rpartition(".")[2] in _RUNNERS:
                return "concurrent: handed to " + ast.unparse(above.func)
            if isinstance(above, ast.stmt):
                break
        return "not awaited where it is made"

    def _threaded(self, call: ast.Call) -> str:
        target = call.args[0]
        role = self.receivers.role(target)
        if role:
            return f"to_thread({role})"
        if isinstance(target, ast.Attribute):
            if target.attr in WAITS:
                return f"to_thread(handle.{target.attr})"
            owner = self.receivers.class_of(target.value)
            if f"{target.attr}_async" in self.api.forms.get(owner, {}):
                return f"to_thread({owner}.{target.attr})"
        return ""

    def _add(self, site: Site) -> None:
        if self.expected_to_raise(site.outer):
            self.left_out.append(LeftOut(site.kind, site.outer, "inside pytest.raises"))
        else:
            self.found[site.outer] = site

    def expected_to_raise(self, node: ast.AST) -> bool:
        """Whether a node stands in a `with pytest.raises(...)` of its own function."""
        for above in self.names.above(node):
            if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
                return False
            if isinstance(above, (ast.With, ast.AsyncWith)) and any(_raises(item) for item in above.items):
                return True
        return False


def _raises(item: ast.withitem) -> bool:
    return isinstance(item.context_expr, ast.Call) and ast.unparse(item.context_expr.func).endswith("raises")


def _family(form: Form) -> str:
    if form.is_property:
        return "property"
    if form.is_generator:
        return "stream"
    return "handle" if form.gives_handle else "call"


def all_sites(sites: Sites) -> Iterator[Site]:
    """In the order of the file."""
    return iter(sorted(sites.found.values(), key=lambda site: (site.call.lineno, site.call.col_offset)))
