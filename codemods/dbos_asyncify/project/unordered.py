"""Sets, and what takes its order from one: that is another order in every process."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbos_asyncify.project import facts as f
from dbos_asyncify.project.draws import most
from dbos_asyncify.project.values import NONE, Api, Box, Ext, Site

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Program

_SETS = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_MAKES_SET = frozenset({"builtins.set", "builtins.frozenset"})
_OF_SETS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_COMBINES = (ast.Sub, ast.BitAnd, ast.BitXor, ast.BitOr, ast.Add)
# They give the elements of their arguments in the same order; the first two take a function first.
_KEEPS_ORDER = frozenset(
    {"builtins.filter", "builtins.map", "builtins.list", "builtins.tuple", "builtins.iter", "builtins.reversed",
     "builtins.enumerate", "builtins.zip", "collections.deque", "copy.copy", "itertools.chain", "itertools.islice"}
)  # fmt: skip
_NEW_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(slots=True)
class Unordered:
    """Finds out about one expression. `boxes` are the containers that it can be, or takes its elements from; `waited`
    says that `asyncio.wait` gave it, `cut` that it has only some of the elements."""

    program: Program
    boxes: set[Box] = field(default_factory=set)
    waited: bool = False
    cut: bool = False
    known: dict[Site, bool | None] = field(default_factory=dict)

    def is_so(self, module: int, number: int) -> bool | None:
        """Whether the order of a node's elements is that of a set, whatever it is; None while that is being asked."""
        site = Site(module, number)
        if site not in self.known:
            self.known[site] = None
            self.known[site] = self._looked_at(site)
        return self.known[site]

    def _looked_at(self, site: Site) -> bool | None:
        facts = self.program.units[site.module].facts
        node, op = facts.nodes[site.node], facts.ops[site.node]
        self.boxes.update(atom for atom in self._value(site) if isinstance(atom, Box))
        match node:
            case ast.Set(elts=elements):
                several = len(elements) > 1 or any(isinstance(element, ast.Starred) for element in elements)
                return True if several else None  # one element has no order, but may be added to others
            case ast.SetComp():
                return True
            case ast.ListComp() | ast.GeneratorExp() | ast.DictComp():
                if site in self.program.sorted_in_place or draws_any(self.program, site.module, [node]):
                    return False  # what draws steps itself is not in order there, not where its results are used
                return self.is_so(site.module, facts.numbers[node.generators[0].iter])
            case ast.Subscript(value=whole, slice=ast.Slice()):
                self.cut = True
                return self.is_so(site.module, facts.numbers[whole])
            case ast.BinOp(left=left, op=operator, right=right):
                views = not isinstance(operator, ast.Add) and (_is_view(left) or _is_view(right))
                return isinstance(operator, _COMBINES) and (views or self._any(site.module, (left, right)))
            case ast.Call():
                return self._called(site, node)
        match op:
            case f.Display():
                return False
            case f.Join(nodes):
                return self._all(site.module, nodes)
            case f.Cell(scope, name):
                return self._all(site.module, facts.cells.get((scope, name), ()))
            case f.Global(name) if name in facts.final:
                return self._all(site.module, facts.final[name])
            case f.Typed(inner, annotation):
                return self._describes(site.module, annotation) or (inner >= 0 and self.is_so(site.module, inner))
            case f.Param(function, name):
                parameter = next(each for each in facts.functions[function].params if each.name == name)
                return self._describes(site.module, parameter.annotation) or self._held(site)
            case f.Instance():
                return self._describes(site.module, site.node)
            case f.Item(base, int()) if self._is_wait(site.module, base):
                self.waited = True
                return True
        return self._held(site)

    def _called(self, site: Site, call: ast.Call) -> bool | None:
        """Whether a call gives a set, or the elements of one as they come."""
        unit = self.program.units[site.module]
        paths = {atom.path for atom in self.program.value(unit, call.func) if isinstance(atom, Ext)}
        if paths & _MAKES_SET:
            return True
        if paths & _KEEPS_ORDER:
            self.cut = self.cut or "itertools.islice" in paths
            given = call.args[1:] if paths & {"builtins.filter", "builtins.map"} else call.args
            return site not in self.program.sorted_in_place and self._any(site.module, given)
        if isinstance(call.func, ast.Attribute) and call.func.attr in _OF_SETS:
            return self._any(site.module, [call.func.value])
        return self._held(site)

    def _held(self, site: Site) -> bool | None:
        """Whether all containers that a node can be are such."""
        found = [
            self.is_so(*atom.site) if atom.site.node >= 0 else False
            for atom in self._value(site)
            if isinstance(atom, Box) and atom.site != site
        ]
        return _all(found)

    def _any(self, module: int, nodes: Iterable[ast.expr]) -> bool | None:
        numbers = self.program.units[module].facts.numbers
        found = [self.is_so(module, numbers[node]) for node in nodes if node in numbers]
        return True if True in found else None if None in found else False

    def _all(self, module: int, nodes: Iterable[int]) -> bool | None:
        return _all([self.is_so(module, node) for node in nodes if not self._is_nothing(Site(module, node))])

    def _is_nothing(self, site: Site) -> bool:
        """Whether a node is None, or `()`, which stands for it."""
        node = self.program.units[site.module].facts.nodes[site.node]
        return self._value(site) == {NONE} or (isinstance(node, (ast.List, ast.Tuple)) and not node.elts)

    def _value(self, site: Site) -> frozenset[object]:
        return frozenset(self.program.values.value(*site))

    def _describes(self, module: int, annotation: int) -> bool:
        """Whether an annotation says that something is a set."""
        op = self.program.units[module].facts.ops[annotation] if annotation >= 0 else None
        if isinstance(op, f.Join):
            parts = [part for part in op.nodes if self._value(Site(module, part)) != {NONE}]
            return bool(parts) and all(self._describes(module, part) for part in parts)
        named = self._value(Site(module, op.cls)) if isinstance(op, f.Instance) else ()
        return any(isinstance(atom, Ext) and atom.path.rpartition(".")[2] in _SETS for atom in named)

    def _is_wait(self, module: int, number: int) -> bool:
        """Whether a node is what `await asyncio.wait(...)` gives: a set of tasks that are done, and one of others."""
        facts = self.program.units[module].facts
        op = facts.ops[number]
        if isinstance(op, f.Join):
            return any(self._is_wait(module, part) for part in op.nodes if part < number)
        call = facts.nodes[op.value] if isinstance(op, f.Await) else None
        if not isinstance(call, ast.Call):
            return False
        callee = self.program.value(self.program.units[module], call.func)
        return any(
            (isinstance(atom, Ext) and atom.path == "asyncio.wait")
            or (isinstance(atom, Api) and atom.name == "asyncio_wait")
            for atom in callee
        )


def _is_view(node: ast.expr) -> bool:
    """Whether it is `keys()` or `items()` of a dictionary: in order by itself, but combined they give a set."""
    method = node.func if isinstance(node, ast.Call) and not node.args and not node.keywords else None
    return isinstance(method, ast.Attribute) and method.attr in ("keys", "items")


def draws_any(program: Program, module: int, nodes: Iterable[ast.AST]) -> bool:
    """Whether a call in these nodes, but for functions defined there, draws a step."""
    draws = program.concurrency.draws
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and most(draws.of_call(module, node)):
            return True
        if not isinstance(node, _NEW_SCOPES):
            pending.extend(ast.iter_child_nodes(node))
    return False


def _all(found: list[bool | None]) -> bool | None:
    """Whether all are true, of those that are known; False where there are none."""
    if False in found or not found:
        return False
    return True if True in found else None
