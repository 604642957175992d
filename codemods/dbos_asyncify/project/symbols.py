"""Dotted names of what expressions mean (`app.registry.pick`), and what the configuration declares of them."""

from __future__ import annotations

import ast
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from dbos_asyncify.project import facts as f
from dbos_asyncify.project import library
from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.values import NONE, Atom, Bound, Cls, Ext, Foreign, Func, Inst, Module, Obj, Value

Kind = Literal["async-workflow", "sync-workflow", "blocking", "harmless"]
_CLASS = re.compile(r"\.[A-Z]+[a-z]\w*\(\)$")
_KNOWN = ("builtins", "dbos", "asyncio")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the configuration says of a symbol, and where it says so."""

    kind: Kind
    path: Path
    line: int = 0


class UndefinedError(Exception):
    """A name that nothing in the project has, though the module that it should be in is the project's."""


@dataclass
class Symbols:
    """The names of everything in a project, once its values are solved."""

    values: Values
    _found: dict[tuple[int, int | str, bool], tuple[str, ...]] = field(default_factory=dict)

    def of(self, module: int, node: int, *, gives: bool = False) -> tuple[str, ...]:
        """The names of what a node means, that of its definition first.

        With `gives` also the names that say what the value is: of the function that gave it, of the container that
        holds it.
        """
        return self._kept((module, node, gives), lambda: self._of(module, node, gives))

    def _kept(self, key: tuple[int, int | str, bool], names: Callable[[], Iterable[str]]) -> tuple[str, ...]:
        if key not in self._found:
            self._found[key] = ()  # for who comes here again on the way
            self._found[key] = tuple(dict.fromkeys(names()))
        return self._found[key]

    def of_atom(self, atom: Atom) -> str | None:
        """The name of a function, class or module, where it was defined."""
        match atom:
            case Bound(func):
                return self.of_atom(func)
            case Func(module, index):
                node = self.values.facts[module].functions[index].node
                return None if isinstance(node, ast.Lambda) else self._qualified(module, node)
            case Cls(module, index):
                return self._qualified(module, self._class_nodes[module, index])
            case Module(module):
                return self.values.modules.name(module)
            case Foreign(path):
                return path
        return None

    def defined(self, name: str) -> str:
        """`name` by the place of its definition, as `of` gives it first.

        Raises UndefinedError for what the project should have and has not; all that is not the project's is taken
        as it is.
        """
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            numbers = self._modules.get(".".join(parts[:end]), [])
            if numbers and end == len(parts):
                raise UndefinedError(f"`{name}` is a module: declare what is in it")
            error = None
            for number in numbers:
                try:
                    return self._in_module(number, parts[end:], set())
                except UndefinedError as found:
                    error = error or found
            if error is not None:
                raise error
        return name

    # from nodes to names

    def _of(self, module: int, node: int, gives: bool) -> Iterator[str]:
        facts = self.values.facts[module]
        yield from self._by_value(self.values.value(module, node))
        match facts.ops[node]:
            case f.Join((only,)):
                yield from self.of(module, only, gives=gives)
            case f.Cell(scope, name):
                definitions = facts.cells.get((scope, name), [])
                if len(definitions) == 1:
                    yield from self.of(module, definitions[0], gives=gives)
            case f.Typed(value, _) if value >= 0:
                yield from self.of(module, value, gives=gives)
            case f.Global(name):
                builtin = {Ext(f"builtins.{name}")} == self.values.value(module, node)
                yield from (f"builtins.{name}",) if builtin else self._exported(module, name, gives)
            case f.Imported(name, member, level):
                yield from self._imported(module, name, member, level, gives)
            case f.Param(function, name):
                yield f"{self._qualified(module, facts.functions[function].node)}.{name}"
            case f.Attr(base, name):
                yield from self._member(module, base, name, gives)
            case f.Call(func, _) if gives:
                yield from self._called(module, func)
            case f.Item(base) | f.Await(base) if gives:
                yield from self.of(module, base, gives=gives)
        yield from self._variable(module, node)

    def _by_value(self, value: Value) -> Iterator[str]:
        atoms = [atom for atom in value if atom is not NONE]
        if len(atoms) == 1 and (name := self.of_atom(atoms[0])):
            yield name

    def _called(self, module: int, func: int) -> Iterator[str]:
        """What a call gives is said by its function, or by the container that it takes an element of."""
        op = self.values.facts[module].ops[func]
        if isinstance(op, f.Attr) and op.name in library.CONTAINER_METHODS:
            yield from self.of(module, op.base, gives=True)
        names = self.of(module, func, gives=True)
        if names and names[0].partition(".")[0] not in {*sys.stdlib_module_names, "dbos"}:  # `getattr` gives anything
            yield from names

    def _member(self, module: int, base: int, name: str, gives: bool) -> Iterator[str]:
        for atom in self.values.value(module, base):
            match atom:
                case Module(target):
                    yield from self._exported(target, name, gives)
                case Cls() | Obj():
                    yield self._class_member(Cls(atom.module, atom.index), name)
                case Inst(cls):
                    yield f"dbos.{cls}.{name}"
                case Ext(path) if _CLASS.search(path):
                    yield f"{path.removesuffix('()').lstrip('.')}.{name}"  # an object of a class that is not read
        for owner in self.of(module, base):
            yield f"{owner}.{name}"

    def _exported(self, module: int, name: str, gives: bool) -> tuple[str, ...]:
        """The names of a module's variable: of the definition that it is another name for, its own, and others."""
        return self._kept((module, name, gives), lambda: self._names_in(module, name, gives))

    def _names_in(self, module: int, name: str, gives: bool) -> Iterator[str]:
        facts, modules = self.values.facts.get(module), self.values.modules
        definitions = facts.final.get(name, []) if facts else []
        child = None if definitions else modules.child(module, name)
        if child is not None:
            yield modules.name(child)
            return
        if len(definitions) == 1:
            yield from self.of(module, definitions[0])
        if facts and not definitions:
            for star in facts.stars:
                target = modules.resolve(module, star.module, star.level)
                if target is not None:
                    yield from self._exported(target, name, gives)
                elif not star.level and len(facts.stars) == 1:
                    yield f"{star.module}.{name}"
        if self._may_have(module, name):
            yield f"{modules.name(module)}.{name}"
        if len(definitions) == 1 and gives:
            yield from self.of(module, definitions[0], gives=True)

    def _may_have(self, module: int, name: str) -> bool:
        """Whether a module itself defines a name, as far as it can be told."""
        facts = self.values.facts.get(module)
        if facts is None or name in facts.final or "__getattr__" in facts.final:
            return True
        return bool(self.values.values.get(("set", module, name)))

    def _imported(self, module: int, name: str, member: str, level: int, gives: bool) -> Iterator[str]:
        target = self.values.modules.resolve(module, name, level)
        if target is None:
            if not level:
                yield f"{name}.{member}" if member else name
        elif member:
            yield from self._exported(target, member, gives)
        else:
            yield self.values.modules.name(target)

    def _variable(self, module: int, node: int) -> Iterator[str]:
        """The name of a variable itself: `module.name`, `module.function.name`."""
        facts = self.values.facts[module]
        variable = facts.nodes[node]
        if not isinstance(variable, ast.Name) or node not in facts.name_scopes:
            return
        owner = owner_of(facts.scopes, facts.name_scopes[node], variable.id)
        if owner < 0:
            if variable.id in facts.scopes[0].bound:
                yield f"{self.values.modules.name(module)}.{variable.id}"
            return
        for function in facts.functions:
            if function.scope == owner:
                yield f"{self._qualified(module, function.node)}.{variable.id}"

    def _qualified(self, module: int, node: ast.AST) -> str:
        """The name of the function or class that `node` defines."""
        names: list[str] = []
        parents = self.values.facts[module].parents
        while node in parents:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.append(node.name)
            elif isinstance(node, ast.Lambda):
                names.append("<lambda>")
            node = parents[node]
        return ".".join([self.values.modules.name(module), *reversed(names)])

    # classes

    @cached_property
    def _class_nodes(self) -> dict[tuple[int, int], ast.ClassDef]:
        found: dict[tuple[int, int], ast.ClassDef] = {}
        for module, facts in self.values.facts.items():
            for node, number in facts.numbers.items():
                op = facts.ops[number]
                made = facts.ops[op.nodes[0]] if isinstance(op, f.Join) and op.nodes else None
                if isinstance(node, ast.ClassDef) and isinstance(made, f.ClassRef):
                    found[module, made.cls] = node
        return found

    def _class_member(self, cls: Cls, name: str) -> str:
        """An attribute, by the class that defines it."""
        for each in self._bases(cls):
            if name in self._attributes(each):
                return f"{self.of_atom(each)}.{name}"
        return f"{self.of_atom(cls)}.{name}"

    def _bases(self, cls: Cls) -> list[Cls]:
        """A class, and the classes of the project that it derives from, the nearest first."""
        found = [cls]
        for each in found:
            for base in self.values.facts[each.module].classes[each.index].bases:
                above = self.values.value(each.module, base)
                found.extend(atom for atom in above if isinstance(atom, Cls) and atom not in found)
        return found

    def _attributes(self, cls: Cls) -> set[str]:
        """What a class itself defines: in its body, and by assigning to `self`."""
        facts = self.values.facts[cls.module]
        here = facts.classes[cls.index]
        stored = {
            store.name
            for store in facts.attribute_stores
            if (function := facts.contexts[store.target].function) >= 0 and facts.functions[function].cls == cls.index
        }
        return stored | here.attributes.keys() | here.annotations.keys()

    # from names to definitions

    @cached_property
    def _modules(self) -> dict[str, list[int]]:
        """The files of the project by their dotted names; scripts may share one."""
        found: dict[str, list[int]] = {}
        modules = self.values.modules
        for number in range(len(modules.paths)):
            if modules.is_file(number):
                found.setdefault(modules.name(number), []).append(number)
        return found

    def _in_module(self, module: int, parts: list[str], seen: set[tuple[int, str]]) -> str:
        """The name, by its definition, of what `parts` say in a module. Raises UndefinedError."""
        facts, modules = self.values.facts.get(module), self.values.modules
        own = modules.name(module)
        name, *rest = parts
        if facts is None:  # the file takes no part and is not read: only a module's name that is nearly right tells
            if rest and difflib.get_close_matches(name, self._submodules(own), n=1):
                raise _undefined(own, name, self._submodules(own))
            return ".".join([own, *parts])
        seen.add((module, name))
        definitions = facts.final.get(name, [])
        for imported in self._elsewhere(module, name):
            target = modules.resolve(module, imported.module, imported.level)
            path = [part for part in (imported.name, *rest) if part]
            if target is None and not imported.level:
                return ".".join([imported.module, *path])
            if target is not None and path and (target, path[0]) not in seen:
                return self._in_module(target, path, seen)
        if not facts.stars and not self._may_have(module, name):
            raise _undefined(own, name, [*facts.final, *self._submodules(own)])
        value = frozenset(atom for node in definitions for atom in self.values.value(module, node))
        return self._in_value(f"{own}.{name}", value, rest)

    def _elsewhere(self, module: int, name: str) -> Iterator[f.Imported]:
        """The import that gives a module one of its names."""
        facts = self.values.facts[module]
        definitions = facts.final.get(name, [])
        if len(definitions) == 1 and isinstance(facts.nodes[definitions[0]], ast.alias):
            op = facts.ops[definitions[0]]
            imported = facts.ops[op.nodes[0]] if isinstance(op, f.Join) else op
            if isinstance(imported, f.Imported):
                yield imported
        for star in [] if definitions else facts.stars:
            target = self.values.modules.resolve(module, star.module, star.level)
            exported = self.values.facts.get(-1 if target is None else target)
            if exported is not None and name in exported.final:
                yield star._replace(name=name)

    def _in_value(self, own: str, value: Value, rest: list[str]) -> str:
        """What `rest` says of a value that is called `own`. Raises UndefinedError."""
        atoms = [atom.func if isinstance(atom, Bound) else atom for atom in value if atom is not NONE]
        if not rest or len(atoms) != 1:
            return ".".join([own, *rest])
        name, *more = rest
        match atoms[0]:
            case Func(module, index):
                facts = self.values.facts[module]
                names = facts.scopes[facts.functions[index].scope].bound
                if name not in names:
                    raise _undefined(own, name, names)
            case Cls(module, index):
                cls = Cls(module, index)
                names = set().union(*map(self._attributes, self._bases(cls)))
                if name not in names and self._is_known(cls):
                    raise _undefined(own, name, names)
                inner = frozenset(
                    atom
                    for each in self._bases(cls)
                    for node in self.values.facts[each.module].classes[each.index].attributes.get(name, ())
                    for atom in self.values.value(each.module, node)
                )
                return self._in_value(self._class_member(cls, name), inner, more)
        return ".".join([own, *rest])

    def _is_known(self, cls: Cls) -> bool:
        """Whether all that a class derives from is read, or defines nothing that could be meant."""
        return all(
            isinstance(atom, Cls) or (isinstance(atom, Ext) and atom.path.startswith(("builtins.", "typing.", "abc.")))
            for each in self._bases(cls)
            for base in self.values.facts[each.module].classes[each.index].bases
            for atom in self.values.value(each.module, base) or (None,)
        )

    def _submodules(self, package: str) -> list[str]:
        start = f"{package}."
        return [name.removeprefix(start) for name in self._modules if name.startswith(start)]


def to_be_declared(names: Sequence[str]) -> str | None:
    """Which of its names to declare something by; None for what has none, and for what the tool knows by itself."""
    name = names[0] if names else ""
    top, dot, _ = name.partition(".")
    return name if dot and top not in _KNOWN and all(part.isidentifier() for part in name.split(".")) else None


def to_declare(names: Iterable[str], kind: Kind) -> str:
    """The line for the configuration."""
    entries = ", ".join(f'"{name}" = "{kind}"' for name in names)
    return f"declare = {{{entries}}}"


def _undefined(owner: str, name: str, known: Iterable[str]) -> UndefinedError:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return UndefinedError(f"`{owner}` has no `{name}`" + (f": did you mean `{close[0]}`?" if close else ""))
