"""Handles: which calls make them, which variables hold them, and who waits for them; those turn together or not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from trip.scopes import Binding, Names
from trip.sites import WAITS, Sites

Key = tuple[int, str]
_SAME = ("list", "tuple", "set", "reversed", "sorted", "enumerate", "zip", "iter", "next", "cast")
_LOOK = ("isinstance", "print", "len", "str", "repr", "type", "id", "bool", "any", "all")
_PLAIN = ("workflow_id", "get_workflow_id", "shard_key")
_IN = ("append", "add", "insert", "extend")
_OUT = ("pop", "popleft", "values", "items", "copy", "get")
_THROUGH = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Starred, ast.IfExp, ast.BoolOp)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_LOOKED_AT = (ast.Expr, ast.Compare, ast.Assert, ast.UnaryOp, ast.If, ast.While, ast.FormattedValue)


class Flows:
    """Groups of variables and calls among which handles go. `blocked` says of a group why it stays as it is."""

    def __init__(self, tree: ast.Module, names: Names, sites: Sites) -> None:
        self.names = names
        self.sites = sites
        self.leader: dict[Key, Key] = {}
        self.blocked: dict[Key, str] = {}
        self.kept: dict[ast.AST, str] = {}
        self.group: dict[ast.AST, Key] = {}  # by the outer node of a site
        self.holders: set[Key] = set()
        self.annotations: dict[ast.expr, Key] = {}
        self.stores = list(_stores(tree))
        for site in sites.found.values():
            if site.form is not None and site.form.gives_handle:
                self.group[site.outer] = self._key(site.outer)
                self.holders.add(self._key(site.outer))
        self._spread()
        for node in list(ast.walk(tree)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                cell = self._cell(node)
                if cell is not None and self._find(cell) in self.holders:
                    self._use(node, cell)
            elif node in self.group and isinstance(node, ast.Await):
                self._use(node, self.group[node])

    def reason(self, outer: ast.AST) -> str:
        """Why the site stays as it is; empty if it may be turned."""
        if outer in self.kept:
            return self.kept[outer]
        if outer not in self.group:
            waits = self.sites.found[outer].kind.startswith("handle.")
            return "the handle that it waits for is not known" if waits else ""
        leader = self._find(self.group[outer])
        return next((f"its handle: {why}" for key, why in self.blocked.items() if self._find(key) == leader), "")

    def keep(self, outer: ast.AST, reason: str) -> None:
        """Leave a site as it is, and with it what its handle goes through."""
        self.kept[outer] = reason
        if outer in self.group:
            self.blocked[self.group[outer]] = reason

    def leader_of(self, outer: ast.AST) -> Key | None:
        """The group of a site, if handles go through it."""
        return self._find(self.group[outer]) if outer in self.group else None

    def annotated(self) -> Iterator[tuple[ast.expr, Key]]:
        """The annotations of variables that hold handles, with the groups of those."""
        for annotation, key in self.annotations.items():
            yield annotation, self._find(key)

    # groups

    def _key(self, node: ast.AST) -> Key:
        return (id(node), "")

    def _cell(self, node: ast.Name) -> Key | None:
        scope = self.names.scopes[node].find(node.id)
        return (id(scope), node.id) if scope is not None else None

    def _find(self, key: Key) -> Key:
        while self.leader.get(key, key) != key:
            key = self.leader[key]
        return key

    def _unite(self, one: Key, other: Key) -> None:
        first, second = self._find(one), self._find(other)
        if first != second:
            self.leader[second] = first
            if {first, second} & self.holders:
                self.holders |= {first}

    # what holds a handle

    def _sources(self, node: ast.expr) -> set[Key]:
        """The variables and calls that a value comes from."""
        if isinstance(node, ast.Name):
            cell = self._cell(node)
            return {cell} if cell is not None else set()
        if node in self.group:
            return {self.group[node]}
        if isinstance(node, _THROUGH):
            parts = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
            return {key for part in parts for key in self._sources(part)}
        if isinstance(node, _COMPREHENSIONS):
            return self._sources(node.value if isinstance(node, ast.DictComp) else node.elt)
        if isinstance(node, (ast.Subscript, ast.NamedExpr)):
            return self._sources(node.value)
        if isinstance(node, ast.Call):
            name = _last(node.func)
            if name in _SAME:
                return {key for argument in node.args for key in self._sources(argument)}
            if name in _OUT and isinstance(node.func, ast.Attribute):
                return self._sources(node.func.value)
        return set()

    def _spread(self) -> None:
        """Find all variables that hold handles."""
        scopes = set(self.names.scopes.values())
        cells = {(id(scope), name): (scope, name) for scope in scopes for name in scope.names}
        moves = [
            (cell, binding.value)
            for cell, (scope, name) in cells.items()
            for binding in scope.names[name]
            if binding.value is not None
        ]
        moves += [(cell, value) for into, value in self.stores for cell in self._sources(into)]
        groups = -1
        while groups != len(self.leader):
            groups = len(self.leader)
            for cell, value in moves:
                for key in self._sources(value):
                    if self._find(key) in self.holders:
                        self._unite(key, cell)
        for cell, (scope, name) in cells.items():
            if self._find(cell) in self.holders:
                for binding in scope.names[name]:
                    self._binding(cell, binding)

    def _binding(self, cell: Key, binding: Binding) -> None:
        if binding.annotation is not None:
            self.annotations[binding.annotation] = cell
        if binding.value is None:
            self.blocked[cell] = "a variable is also given from outside"
        elif not any(self._find(key) in self.holders for key in self._sources(binding.value)):
            if ast.unparse(binding.value) not in ("[]", "{}", "set()", "None"):
                self.blocked[cell] = "a variable also holds something else"

    # what happens to a handle

    def _use(self, node: ast.AST, key: Key) -> None:
        parent = self.names.parents[node]
        element = isinstance(parent, ast.Subscript) and parent.value is node
        if isinstance(parent, ast.Attribute):
            self._attribute(parent, key)
        elif element or isinstance(parent, (*_THROUGH, *_COMPREHENSIONS, ast.NamedExpr)):
            self._use(parent, key)
        elif isinstance(parent, ast.Call) and node is not parent.func:
            self._argument(parent, key)
        elif isinstance(parent, (ast.Assign, ast.AnnAssign)):
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            if any(isinstance(part, ast.Attribute) for target in targets for part in ast.walk(target)):
                self.blocked[key] = "kept in an attribute"
        elif isinstance(parent, (ast.Return, ast.Yield, ast.Lambda)):
            self.blocked[key] = "given back to a caller"
        elif not isinstance(parent, (*_LOOKED_AT, ast.For, ast.comprehension, ast.Subscript)):
            self.blocked[key] = f"handed on in a way that is not followed ({type(parent).__name__})"

    def _attribute(self, node: ast.Attribute, key: Key) -> None:
        call = self.names.parents[node]
        called = isinstance(call, ast.Call) and call.func is node
        if node.attr in WAITS:
            outer = self.names.parents[call]
            if called and outer in self.sites.found:
                self.group[outer] = key
            elif called and isinstance(outer, ast.Await):
                self.blocked[key] = "waited for inside pytest.raises"
            else:
                self.blocked[key] = self.sites.not_awaited(call)
        elif node.attr in _OUT and called:
            self._use(call, key)
        elif node.attr not in (*_PLAIN, *_IN):
            self.blocked[key] = f"`{node.attr}` is used of it"

    def _argument(self, call: ast.Call, key: Key) -> None:
        name = _last(call.func)
        outer = self.names.parents[call]
        if name in _SAME:
            self._use(call, key)
        elif name == "wait_first_async" and outer in self.group:
            self._unite(key, self.group[outer])
        elif name not in (*_LOOK, *_IN):
            self.blocked[key] = f"handed to `{ast.unparse(call.func)}`"


def _stores(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Where a value is put into something: `handles.append(handle)`, `handles[key] = handle`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _IN:
            yield from ((node.func.value, argument) for argument in node.args)
        elif isinstance(node, ast.Assign):
            yield from ((t.value, node.value) for t in node.targets if isinstance(t, ast.Subscript))


def _last(func: ast.expr) -> str:
    return ast.unparse(func).rpartition(".")[2]
