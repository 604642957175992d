"""How functions are referred to in other ways than by calls: as values, in strings, by computed names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import FunctionKey, Program, Unit
from dbos_asyncify.project.values import Atom, Bound, Cls, Ext, Func, Module, Obj, Role

# They are given the name of a function as a string, or as a keyword (`patch.multiple`).
_BY_NAME = frozenset(
    {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "object", "spy", "multiple"}
)
_ALL_NAMES = frozenset({"builtins.globals", "builtins.locals", "builtins.vars", "inspect.getmembers"})


@dataclass(frozen=True)
class References:
    """What is known about that for all functions of a program."""

    program: Program

    def is_named(self, unit: Unit, function: Function) -> bool:
        """Whether a string names a function (`__all__`, `patch("app.mail.notify")`, `getattr`), a computed name may,
        or a file that could not be parsed does."""
        return (
            function.name in self._strings
            or any(path.endswith(f".{function.name}") for path in self._module_paths)
            or any(re.search(rf"\b{function.name}\b", text) for text in self.program.unread)
            or (Cls(unit.number, function.cls) if function.cls >= 0 else Module(unit.number)) in self._by_computed_name
        )

    @cached_property
    def handed_on(self) -> frozenset[FunctionKey]:
        """The functions that are also used in another way than by calling them by name."""
        found: set[FunctionKey] = set()
        for unit in self.program.units.values():
            parents = unit.facts.parents
            for node, number in unit.facts.numbers.items():
                if not isinstance(node, ast.expr) or isinstance(getattr(node, "ctx", None), ast.Store):
                    continue
                keys = plain_functions(self.program.values.value(unit.number, number))
                if not keys:
                    continue
                parent = parents.get(node)
                if isinstance(parent, ast.Call) and parent.func is node and isinstance(node, (ast.Name, ast.Attribute)):
                    continue
                found |= keys
        return frozenset(found)

    @cached_property
    def overloaded(self) -> frozenset[tuple[int, int, str]]:
        """Module, scope and name of the functions of which `@overload` says more signatures."""
        return frozenset(
            (unit.number, function.cls if function.cls >= 0 else -1 - function.parent, function.name)
            for unit in self.program.units.values()
            for function in unit.facts.functions
            if any("overload" in ast.unparse(d) for d in getattr(function.node, "decorator_list", ()))
        )

    def is_overloaded(self, unit: Unit, function: Function) -> bool:
        home = function.cls if function.cls >= 0 else -1 - function.parent
        return (unit.number, home, function.name) in self.overloaded

    @cached_property
    def _strings(self) -> frozenset[str]:
        """The names that strings give: in `__all__`, to `getattr` and the like, at the end of a dotted path."""
        return frozenset(name for unit in self.program.units.values() for name in _names_in_strings(unit))

    @cached_property
    def _module_paths(self) -> frozenset[str]:
        """What is read from modules that are imported by a computed name."""
        return frozenset(
            atom.path
            for unit in self.program.units.values()
            for node in unit.facts.numbers
            if isinstance(node, ast.Attribute)
            for atom in self.program.value(unit, node)
            if isinstance(atom, Ext) and atom.path.startswith("importlib.import_module()")
        )

    @cached_property
    def _by_computed_name(self) -> frozenset[Atom]:
        """The modules and classes of which anything may be got: `getattr(self, f"on_{event}")`, `globals()[name]`."""
        found: set[Atom] = set()
        for unit in self.program.units.values():
            for node in unit.facts.numbers:
                if not isinstance(node, ast.Call):
                    continue
                paths = {atom.path for atom in self.program.value(unit, node.func) if isinstance(atom, Ext)}
                if "builtins.getattr" in paths and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
                    found.update(self._owners(self.program.value(unit, node.args[0])))
                elif paths & _ALL_NAMES:
                    given = self.program.value(unit, node.args[0]) if node.args else (Module(unit.number),)
                    found.update(self._owners(given))
        return frozenset(found)

    def _owners(self, atoms: Iterable[Atom]) -> Iterator[Atom]:
        """The modules among these, and the classes of the objects with their bases and subclasses."""
        for atom in atoms:
            if isinstance(atom, Module):
                yield atom
            elif isinstance(atom, (Obj, Cls)):
                cls = Cls(atom.module, atom.index)
                yield from (cls, *self.program.bases(cls), *self.program.values.subclasses(cls.module, cls.index))


def plain_functions(atoms: Iterable[Atom]) -> set[FunctionKey]:
    """The functions among these that DBOS knows nothing of."""
    functions = (atom.func if isinstance(atom, Bound) else atom for atom in atoms)
    return {(f.module, f.index) for f in functions if isinstance(f, Func) and f.role is Role.PLAIN}


def _names_in_strings(unit: Unit) -> Iterator[str]:
    parents = unit.facts.parents
    for node in unit.facts.numbers:
        if isinstance(node, ast.Call) and _last_name(node.func) in _BY_NAME:
            yield from (word.arg for word in node.keywords if word.arg)
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        path = re.fullmatch(r"(?:\w+\.)+(?:\w+[.:])*(\w+)|\w+:(\w+)", node.value)
        if path:
            yield path[1] or path[2]
        if node.value.isidentifier():
            parent = parents.get(node)
            if isinstance(parent, ast.Call):
                if _last_name(parent.func) in _BY_NAME:
                    yield node.value
            elif _in_all(parents, node):
                yield node.value


def _last_name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)


def _in_all(parents: dict[ast.AST, ast.AST], node: ast.AST) -> bool:
    """Whether a string stands in `__all__ = [...]`, or is added to it."""
    while isinstance(parents.get(node), ast.expr):
        node = parents[node]
    statement = parents.get(node)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
    return isinstance(statement, ast.Expr) and "__all__" in ast.unparse(statement)
