"""The whole program as the rules see it: its files, their facts, and the value of every expression."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from dbos_asyncify.dbos_api import Catalogue
from dbos_asyncify.findings import Place
from dbos_asyncify.project import library
from dbos_asyncify.project.branches import Branches
from dbos_asyncify.project.callees import Implicit, implicit_calls
from dbos_asyncify.project.closures import function_reads
from dbos_asyncify.project.concurrency import Concurrency
from dbos_asyncify.project.coroutines import Coroutines
from dbos_asyncify.project.facts import Context, Facts, Function, Imported
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.nondeterminism import Nondeterminism
from dbos_asyncify.project.solve import Solver
from dbos_asyncify.project.statements import facts_of
from dbos_asyncify.project.symbols import Kind, Symbols, UndefinedError, to_be_declared
from dbos_asyncify.project.tree import without_body
from dbos_asyncify.project.values import NONE, UNKNOWN, Atom, Bound, BoxMethod, Cls, Ext, Func, Obj, Role, Site, Value
from dbos_asyncify.source import Source, Span, span

FunctionKey = tuple[int, int]


@dataclass(slots=True, eq=False)
class Unit:
    """One file of the program."""

    number: int
    source: Source
    tree: ast.Module
    facts: Facts


@dataclass(frozen=True, slots=True)
class Spot:
    """An expression that runs on the event loop, or would if its function became a coroutine function."""

    unit: Unit
    node: ast.expr
    number: int
    context: Context

    @property
    def site(self) -> Site:
        return Site(self.unit.number, self.number)

    @property
    def function_key(self) -> tuple[int, int]:
        """The function that it stands in."""
        return (self.unit.number, self.context.function)

    @property
    def span(self) -> Span:
        return span(self.node, self.unit.source)

    @property
    def path(self) -> Path:
        return self.unit.source.path


@dataclass(frozen=True, slots=True)
class CallSite(Spot):
    """A call, and what it can call; `context.on_loop` says whether it runs on the event loop."""

    node: ast.Call
    callee: Value


def _everywhere(code: str, path: Path) -> bool:
    return True


def _nothing_silenced(path: Path, place: Span, code: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class AttributeSite(Spot):
    """An attribute that is read or set, and what it is an attribute of; `context` as for a call."""

    node: ast.Attribute
    owner: Value


Node = TypeVar("Node", bound=ast.expr)
SiteT = TypeVar("SiteT", CallSite, AttributeSite)


@dataclass
class Program:
    """All files that take part, joined.

    `promoted` are the plain functions that become coroutine functions: what stands in them counts as on the loop.
    `silenced` tells whether a comment keeps a rule's findings at a place as they are. `unread` are the texts of files
    that could not be parsed, `entry_points` the functions that files name which are no Python code. In the files
    `convertible` (None: all) helpers and their calls may be converted.
    `children` are the plain coroutine functions that become child workflows. `enabled` tells whether a rule counts in a
    file.
    """

    units: Mapping[int, Unit]
    values: Values
    catalogue: Catalogue
    target_python: tuple[int, int] | None = None
    too_deep: tuple[Path, ...] = ()  # files whose nesting the analysis cannot take
    declared: Mapping[str, Kind] = field(default_factory=dict)  # what the configuration says, by dotted names
    undefined: Mapping[str, str] = field(default_factory=dict)  # declared, but not there: what is wrong with them
    promoted: frozenset[FunctionKey] = frozenset()
    silenced: Callable[[Path, Span, str], bool] = _nothing_silenced
    unread: tuple[str, ...] = ()
    entry_points: frozenset[str] = frozenset()
    convertible: frozenset[Path] | None = None
    children: frozenset[FunctionKey] = frozenset()
    enabled: Callable[[str, Path], bool] = _everywhere

    @classmethod
    def build(
        cls,
        files: Iterable[tuple[int, Source, ast.Module]],
        modules: ModuleMap,
        catalogue: Catalogue,
        target_python: tuple[int, int] | None = None,
        declare: Mapping[str, Kind] | None = None,
        *,
        unread: Iterable[str] = (),
        entry_points: frozenset[str] = frozenset(),
        convertible: frozenset[Path] | None = None,
        silenced: Callable[[Path, Span, str], bool] = _nothing_silenced,
        enabled: Callable[[str, Path], bool] = _everywhere,
    ) -> Program:
        """Analyse `files` (each with its number in `modules`). `declare` says what symbols are, by dotted names.

        The other arguments are kept as they are.
        """
        units: dict[int, Unit] = {}
        too_deep: list[Path] = []
        texts = list(unread)
        for number, source, tree in files:
            try:
                units[number] = Unit(number, source, tree, facts_of(tree))
            except RecursionError:
                too_deep.append(source.path)
                texts.append(source.text)
        values = Solver({number: unit.facts for number, unit in units.items()}, modules, catalogue)
        values.solve()
        declared: dict[str, Kind] = {}
        undefined: dict[str, str] = {}
        symbols = Symbols(values)
        for name, kind in (declare or {}).items():
            try:
                declared[symbols.defined(name)] = kind
            except UndefinedError as error:
                undefined[name] = str(error)
        return cls(
            units, values, catalogue, target_python, tuple(too_deep), declared, undefined,
            unread=tuple(texts), entry_points=entry_points, convertible=convertible, silenced=silenced,
            enabled=enabled,
        )  # fmt: skip

    def value(self, unit: Unit, node: ast.AST) -> Value:
        """What the expression `node` can be."""
        number = unit.facts.numbers.get(node)
        return frozenset() if number is None else self.values.value(unit.number, number)

    @cached_property
    def unit_at(self) -> Mapping[Path, Unit]:
        """The files by their paths."""
        return {unit.source.path: unit for unit in self.units.values()}

    @cached_property
    def symbols(self) -> Symbols:
        """The dotted names of everything."""
        return Symbols(self.values)

    def declaration(self, unit: Unit, node: ast.AST) -> Kind | None:
        """What the configuration declares of what the expression `node` means."""
        number = unit.facts.numbers.get(node) if self.declared else None
        if number is None:
            return None
        atoms = [atom for atom in self.value(unit, node) if atom is not NONE]
        kinds = {self.declared.get(self.symbols.of_atom(atom) or "") for atom in atoms}
        if len(kinds) == 1 and (kind := kinds.pop()):
            return kind
        names = self.symbols.of(unit.number, number)
        return next((self.declared[name] for name in names if name in self.declared), None)

    def symbol(self, unit: Unit, node: ast.AST) -> str | None:
        """The dotted name under which the configuration can declare what the expression `node` means."""
        number = unit.facts.numbers.get(node)
        return None if number is None else to_be_declared(self.symbols.of(unit.number, number))

    def function(self, func: Func) -> Function:
        return self.units[func.module].facts.functions[func.index]

    def enclosing(self, unit: Unit, context: Context) -> Function | None:
        """The function that an expression is evaluated in."""
        return unit.facts.functions[context.function] if context.function >= 0 else None

    @property
    def version(self) -> str:
        """The dbos version that the fixes are for."""
        return ".".join(map(str, self.catalogue.version))

    def with_promoted(self, functions: Iterable[FunctionKey]) -> Program:
        """The same program, where these functions are coroutine functions."""
        changed = copy(self)  # with all that is computed already
        changed.promoted = frozenset(functions)
        return changed

    def with_children(self, functions: frozenset[FunctionKey]) -> Program:
        """The same program, where these coroutine functions are workflows."""
        changed = copy(self)
        changed.children = functions
        for name in ("concurrency", "branches", "nondeterminism"):
            changed.__dict__.pop(name, None)
        return changed

    def on_loop(self, unit: Unit, context: Context) -> bool:
        """Whether something runs in a coroutine."""
        return context.on_loop or (unit.number, context.function) in self.promoted

    def calls(self) -> Iterator[CallSite]:
        """Every call that runs in a coroutine, in the order of the files and of their text.

        Left out: what stands inside `with pytest.raises(...)`, where failing is the point, and calls of what is
        declared harmless.
        """
        return self._on_loop(self._call_sites)

    def attributes(self) -> Iterator[AttributeSite]:
        """Every attribute that is read or set in a coroutine; as `calls`."""
        return self._on_loop(self._attribute_sites)

    def _on_loop(self, sites: Mapping[FunctionKey, list[SiteT]]) -> Iterator[SiteT]:
        by_unit: dict[int, list[SiteT]] = {number: [] for number in self.units}
        for key, found in sites.items():
            if key in self.promoted:
                by_unit[key[0]].extend(map(as_if_on_loop, found))
            else:
                by_unit[key[0]].extend(site for site in found if site.context.on_loop)
        for found in by_unit.values():
            yield from sorted(found, key=lambda site: (site.node.lineno, site.node.col_offset))

    def synchronous_calls(self) -> Iterator[CallSite]:
        """As `calls`, for those that run in no coroutine as the code is: in functions, lambdas, the module itself."""
        for found in self._call_sites.values():
            yield from (call for call in found if not call.context.on_loop)

    def calls_in(self, function: FunctionKey) -> Iterator[CallSite]:
        """The calls in a synchronous function's body, as if they ran on the loop."""
        return map(as_if_on_loop, self._call_sites.get(function, ()))

    def attributes_in(self, function: FunctionKey) -> Iterator[AttributeSite]:
        """The same for attributes."""
        return map(as_if_on_loop, self._attribute_sites.get(function, ()))

    @cached_property
    def _call_sites(self) -> Mapping[FunctionKey, list[CallSite]]:
        """All calls by the function that they stand in, in the order of the text."""
        found = self._sites(ast.Call, lambda spot: CallSite(*spot, self.callee(spot[0], spot[1])))
        if not self.declared:
            return found
        return {
            key: [call for call in calls if self.declaration(call.unit, call.node.func) != "harmless"]
            for key, calls in found.items()
        }

    @cached_property
    def _attribute_sites(self) -> Mapping[FunctionKey, list[AttributeSite]]:
        return self._sites(ast.Attribute, lambda spot: AttributeSite(*spot, self.value(spot[0], spot[1].value)))

    def _sites(
        self, kind: type[Node], made: Callable[[tuple[Unit, Node, int, Context]], SiteT]
    ) -> dict[FunctionKey, list[SiteT]]:
        """All nodes of a kind, without what is expected to raise."""
        found: dict[FunctionKey, list[SiteT]] = {}
        for unit in self.units.values():
            for node, number in unit.facts.numbers.items():
                if not isinstance(node, kind):
                    continue
                context = unit.facts.contexts[number]
                if not context.on_loop and self._lambda_on_loop(unit, context):
                    context = context._replace(on_loop=True, trap="lambda")
                if not self.expects_error(unit, context):
                    site = made((unit, node, number, context))
                    found.setdefault((unit.number, context.function), []).append(site)
        for sites in found.values():
            sites.sort(key=lambda site: (site.node.lineno, site.node.col_offset))
        return found

    @cached_property
    def implicit_calls(self) -> Mapping[FunctionKey, list[tuple[Unit, Implicit]]]:
        """What runs in each function without a call being written."""
        found: dict[FunctionKey, list[tuple[Unit, Implicit]]] = {}
        for unit in self.units.values():
            for implicit in implicit_calls(self.values, unit.number):
                if not self.expects_error(unit, implicit.context):
                    found.setdefault((unit.number, implicit.context.function), []).append((unit, implicit))
        return found

    def callee(self, unit: Unit, call: ast.Call) -> Value:
        """What a call can call; a method without a body does not count beside those that override it.

        One that nothing overrides does count: `def notify(self): pass` may be all that a class wants to do.
        """
        found = self.value(unit, call.func)
        abstract = {atom for atom in found if self.is_abstract(atom)}
        if not abstract:
            return found
        functions = {(f.module, f.index) for a in found - abstract if (f := _function_of(a)) is not None}
        return found - {atom for atom in abstract if self._overriding(atom) & functions}

    def _overriding(self, atom: Atom) -> set[FunctionKey]:
        func = _function_of(atom)
        if func is None:
            return set()
        key = (func.module, func.index)
        if key not in self._overriders:
            self._overriders[key] = set(self.overridden_by(self.units[func.module], self.function(func)))
        return self._overriders[key]

    @cached_property
    def _overriders(self) -> dict[FunctionKey, set[FunctionKey]]:
        """What is known of `overridden_by`."""
        return {}

    def is_abstract(self, atom: Atom) -> bool:
        """Whether something is a method without a body, there to be overridden."""
        func = _function_of(atom)
        if func is None or func.role is not Role.PLAIN:
            return False
        function = self.function(func)
        return function.cls >= 0 and without_body(function.node)

    def _lambda_on_loop(self, unit: Unit, context: Context) -> bool:
        """Whether a context is a lambda that is called where it stands, on the loop: the `key` of a `sorted`."""
        function = self.enclosing(unit, context)
        if function is None or not isinstance(function.node, ast.Lambda) or not function.context.on_loop:
            return False
        parent = unit.facts.parents[function.node]
        if isinstance(parent, ast.keyword):
            parent = unit.facts.parents[parent]
        if not isinstance(parent, ast.Call):
            return False
        if parent.func is function.node:
            return True
        return library.calls_at_once(self.value(unit, parent.func))

    def expects_error(self, unit: Unit, context: Context) -> bool:
        """Whether an expression stands in `with pytest.raises(...)` or `self.assertRaises(...)`."""
        for number in context.withs:
            node = unit.facts.nodes[number]
            if isinstance(node, ast.Call):
                if any(isinstance(a, Ext) and a.path == "pytest.raises" for a in self.value(unit, node.func)):
                    return True
                if isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assertRaises"):
                    return True
        return False

    def place(self, unit: Unit, node: ast.AST, text: str) -> Place:
        return Place(unit.source.path, getattr(node, "lineno", 1), text)

    def in_workflow_code(self, path: Path, place: Span) -> bool:
        """Whether something stands in an async workflow, or in a coroutine that one calls."""
        for module, index in self.concurrency.workflow_code:
            node = self.units[module].facts.functions[index].node
            if self.units[module].source.path == path and node.lineno <= place.line <= (node.end_lineno or 0):
                return True
        return False

    def imported_by(self, unit: Unit) -> frozenset[int]:
        """The modules of the project that a file imports from."""
        return frozenset(
            target
            for op in unit.facts.ops
            if isinstance(op, Imported)
            and (target := self.values.modules.resolve(unit.number, op.module, op.level)) is not None
        )

    @cached_property
    def overridden(self) -> frozenset[FunctionKey]:
        """The methods that a subclass overrides, and those that override one."""
        found: set[FunctionKey] = set()
        for unit in self.units.values():
            for function in unit.facts.functions:
                standing_for = list(self.overridden_by(unit, function))
                if standing_for:
                    found.update(standing_for, [(unit.number, function.index)])
        return frozenset(found)

    def overridden_by(self, unit: Unit, function: Function) -> Iterator[FunctionKey]:
        """The methods of subclasses (of a protocol: of what has its shape) that stand for this one."""
        if function.cls < 0:
            return
        for cls in self.values.subclasses(unit.number, function.cls):
            for node in self.units[cls.module].facts.classes[cls.index].attributes.get(function.name, ()):
                for atom in self.values.value(cls.module, node):
                    if isinstance(atom, Func):
                        yield (atom.module, atom.index)

    def bases(self, cls: Cls) -> set[Cls]:
        """All classes of the project that a class derives from."""
        found: set[Cls] = set()
        pending = [cls]
        while pending:
            here = pending.pop()
            for base in self.units[here.module].facts.classes[here.index].bases:
                for atom in self.values.value(here.module, base):
                    if isinstance(atom, Cls) and atom not in found:
                        found.add(atom)
                        pending.append(atom)
        return found

    @cached_property
    def read_of_unknown(self) -> frozenset[str]:
        """The names of attributes that are read from something unknown."""
        names = set()
        for unit in self.units.values():
            for node in unit.facts.numbers:
                if isinstance(node, ast.Attribute):
                    owner = self.value(unit, node.value)
                    if not owner or UNKNOWN in owner:
                        names.add(node.attr)
        return frozenset(names)

    def is_property(self, owner: Atom, name: str) -> bool:
        """Whether an attribute of an object of the project is defined as a function (a property)."""
        if not isinstance(owner, (Obj, Cls)):
            return False
        cls = Cls(owner.module, owner.index)
        return any(
            isinstance(atom, Func)
            for here in (cls, *self.bases(cls))
            for node in self.units[here.module].facts.classes[here.index].attributes.get(name, ())
            for atom in self.values.value(here.module, node)
        )

    def role(self, function: tuple[int, int]) -> Role:
        """What DBOS makes of a function."""
        return self.concurrency.roles.get(function, Role.PLAIN)

    @cached_property
    def concurrency(self) -> Concurrency:
        """Which coroutines of a workflow run beside each other."""
        return Concurrency.of(self.values, self.children)

    @cached_property
    def branches(self) -> Branches:
        """What runs beside each other in workflow code."""
        return Branches.of(self.units, self.values, self.concurrency, self.coroutines)

    @cached_property
    def sorted_in_place(self) -> frozenset[Site]:
        """The lists of which somewhere `.sort()` is called."""
        return frozenset(
            atom.site
            for calls in self._call_sites.values()
            for call in calls
            for atom in call.callee
            if isinstance(atom, BoxMethod) and atom.name == "sort"
        )

    @cached_property
    def nondeterminism(self) -> Nondeterminism:
        """Which plain functions of workflow code are not deterministic."""
        return Nondeterminism(self)

    @cached_property
    def function_reads(self) -> Mapping[FunctionKey, list[tuple[Unit, ast.expr]]]:
        """Where each function is read by a name."""
        return function_reads(self.units, self.values)

    @cached_property
    def coroutines(self) -> Coroutines:
        """Where each coroutine is read."""
        return Coroutines.of(self.units, self.values)


def as_if_on_loop(site: SiteT) -> SiteT:
    """The same place, as it is where its function is a coroutine function."""
    return replace(site, context=site.context._replace(on_loop=True))


def _function_of(atom: Atom) -> Func | None:
    func = atom.func if isinstance(atom, Bound) else atom
    return func if isinstance(func, Func) else None
