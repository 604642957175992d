"""The whole program as the rules see it: its files, their facts, and the value of every expression."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from dbos_asyncify.dbos_api import Catalogue
from dbos_asyncify.findings import Place
from dbos_asyncify.project import library
from dbos_asyncify.project.concurrency import Concurrency
from dbos_asyncify.project.facts import Context, Facts, Function, Imported
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.solve import Solver
from dbos_asyncify.project.statements import facts_of
from dbos_asyncify.project.symbols import Kind, Symbols, UndefinedError, to_be_declared
from dbos_asyncify.project.values import NONE, UNKNOWN, Atom, Cls, Ext, Func, Obj, Role, Site, Value
from dbos_asyncify.source import Source, Span, span


@dataclass(slots=True, eq=False)
class Unit:
    """One file of the program."""

    number: int
    source: Source
    tree: ast.Module
    facts: Facts


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call that runs on the event loop."""

    unit: Unit
    node: ast.Call
    number: int
    context: Context
    callee: Value

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


@dataclass
class Program:
    """All files that take part, joined."""

    units: Mapping[int, Unit]
    values: Values
    catalogue: Catalogue
    target_python: tuple[int, int] | None = None
    too_deep: tuple[Path, ...] = ()  # files whose nesting the analysis cannot take
    declared: Mapping[str, Kind] = field(default_factory=dict)  # what the configuration says, by dotted names
    undefined: Mapping[str, str] = field(default_factory=dict)  # declared, but not there: what is wrong with them

    @classmethod
    def build(
        cls,
        files: Iterable[tuple[int, Source, ast.Module]],
        modules: ModuleMap,
        catalogue: Catalogue,
        target_python: tuple[int, int] | None = None,
        declare: Mapping[str, Kind] | None = None,
    ) -> Program:
        """Analyse `files` (each with its number in `modules`). `declare` says what symbols are, by dotted names."""
        units: dict[int, Unit] = {}
        too_deep: list[Path] = []
        for number, source, tree in files:
            try:
                units[number] = Unit(number, source, tree, facts_of(tree))
            except RecursionError:
                too_deep.append(source.path)
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
        return cls(units, values, catalogue, target_python, tuple(too_deep), declared, undefined)

    def value(self, unit: Unit, node: ast.AST) -> Value:
        """What the expression `node` can be."""
        number = unit.facts.numbers.get(node)
        return frozenset() if number is None else self.values.value(unit.number, number)

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

    def calls(self) -> Iterator[CallSite]:
        """Every call that runs in a coroutine, in the order of the files and of their text.

        Left out: what stands inside `with pytest.raises(...)`, where failing is the point, and calls of what is
        declared harmless.
        """
        for unit in self.units.values():
            found = []
            for node, number in unit.facts.numbers.items():
                if not isinstance(node, ast.Call):
                    continue
                context = unit.facts.contexts[number]
                if not context.on_loop and self._lambda_on_loop(unit, context):
                    context = context._replace(on_loop=True, trap="lambda")
                if not context.on_loop or self._expects_error(unit, context):
                    continue
                if self.declaration(unit, node.func) != "harmless":
                    found.append(CallSite(unit, node, number, context, self.value(unit, node.func)))
            yield from sorted(found, key=lambda call: (call.node.lineno, call.node.col_offset))

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
        names = {library.last_name(a.path) for a in self.value(unit, parent.func) if isinstance(a, Ext)}
        method = parent.func.attr if isinstance(parent.func, ast.Attribute) else ""
        return bool(names & library.CALLS_AT_ONCE) or method == "sort"

    def _expects_error(self, unit: Unit, context: Context) -> bool:
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
    def overridden(self) -> frozenset[tuple[int, int]]:
        """The methods that a subclass overrides, and those that override one."""
        found: set[tuple[int, int]] = set()
        for unit in self.units.values():
            for cls in unit.facts.classes:
                for base in self._bases(Cls(unit.number, cls.index)):
                    above = self.units[base.module].facts.classes[base.index]
                    for name in cls.attributes.keys() & above.attributes.keys():
                        for module, owner in ((unit.number, cls), (base.module, above)):
                            for node in owner.attributes[name]:
                                for atom in self.values.value(module, node):
                                    if isinstance(atom, Func):
                                        found.add((atom.module, atom.index))
        return frozenset(found)

    def _bases(self, cls: Cls) -> set[Cls]:
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
            for here in (cls, *self._bases(cls))
            for node in self.units[here.module].facts.classes[here.index].attributes.get(name, ())
            for atom in self.values.value(here.module, node)
        )

    def role(self, function: tuple[int, int]) -> Role:
        """What DBOS makes of a function."""
        return self.concurrency.roles.get(function, Role.PLAIN)

    @cached_property
    def concurrency(self) -> Concurrency:
        """Which coroutines of a workflow run beside each other."""
        return Concurrency.of(self.values)
