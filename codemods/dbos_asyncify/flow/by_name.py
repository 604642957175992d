"""Functions that other code finds by their names: by strings, in the namespace of a module, as test runners do."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dbos_asyncify.project import library
from dbos_asyncify.project.facts import Function
from dbos_asyncify.project.program import FunctionKey, Program, Unit
from dbos_asyncify.project.values import UNKNOWN, Atom, Cls, Ext, Module, Obj

# They are given the name of a function as a string.
_BY_NAME = frozenset({"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "object", "spy"})
_PATH = re.compile(r"(?:\w*\.)+(?:\w+[.:])*(\w+)|(?:.*[^\w.])?[\w.]+:(\w+)")
_ANY = r"\w*"
_NAMESPACES = frozenset({"builtins.globals", "builtins.locals", "builtins.vars"})
_LISTS_MEMBERS = frozenset({"builtins.dir", "inspect.getmembers", "inspect.getmembers_static"})
_TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "conftest.py")
_TEST_NAMES = re.compile(r"test|(?:setup|teardown)(?:_module|_function|_class|_method)?$|setUp|tearDown")


@dataclass(frozen=True)
class ByName:
    """What the program says of its functions other than by calling them."""

    program: Program

    def finds(self, unit: Unit, function: Function) -> bool:
        """Whether something may find a function by its name: a string, a test runner, a file that cannot be read."""
        name = function.name
        if (
            name in self.strings
            or name in self.program.entry_points
            or (unit.number, function.index) in self._looked_up
            or _is_collected(unit, name)
        ):
            return True
        if any(re.search(rf"\b{name}\b", text) for text in (*self.program.unread, *self._doctests)):
            return True
        return any(text.endswith(f".{name}") for text in self._module_paths)

    @cached_property
    def strings(self) -> frozenset[str]:
        """The names that strings give: in `__all__`, to `getattr` and the like, at the end of a dotted path."""
        found: set[str] = set()
        for unit in self.program.units.values():
            parents = unit.facts.parents
            for node in unit.facts.numbers:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "multiple":
                    found.update(word.arg for word in node.keywords if word.arg)  # `patch.multiple(app, notify=...)`
                if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                    continue
                path = _PATH.fullmatch(node.value)
                if path:
                    found.add(path[1] or path[2])
                if not node.value.isidentifier():
                    continue
                parent = parents.get(node)
                if isinstance(parent, ast.keyword):
                    parent = parents.get(parent)
                if isinstance(parent, ast.Call):
                    name = parent.func.attr if isinstance(parent.func, ast.Attribute) else ast.unparse(parent.func)
                    if name in _BY_NAME:
                        found.add(node.value)
                elif _in_all(parents, node):
                    found.add(node.value)
        return frozenset(found)

    @cached_property
    def _doctests(self) -> tuple[str, ...]:
        return tuple(
            node.value
            for unit in self.program.units.values()
            for node in unit.facts.numbers
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ">>>" in node.value
        )

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

    # names that are computed

    @cached_property
    def _looked_up(self) -> frozenset[FunctionKey]:
        """The functions that a computed name may mean where it is looked up."""
        return frozenset(
            key
            for unit in self.program.units.values()
            for node in unit.facts.numbers
            if isinstance(node, (ast.Call, ast.Attribute, ast.Subscript))
            for atoms, pattern in self._lookups(unit, node)
            for key in self._functions_of(atoms, pattern)
        )

    def _lookups(self, unit: Unit, node: ast.Call | ast.Attribute | ast.Subscript) -> Iterator[tuple[set[Atom], str]]:
        """What is looked into at `node`, and a pattern of the names that are looked for."""
        here: set[Atom] = {Module(unit.number)}
        if isinstance(node, ast.Subscript):
            modules = self.program.value(unit, node.value)
            if Ext("sys.modules") in modules and ast.unparse(node.slice) == "__name__":
                yield here, _ANY
            return
        if isinstance(node, ast.Attribute):
            if node.attr == "__dict__":
                owner: set[Atom] = {atom for atom in self.program.value(unit, node.value) if not isinstance(atom, Obj)}
                yield self._or_any_class(owner | self._class_of(unit, node.value), _key(unit, node)), _key(unit, node)
            return
        paths = {atom.path for atom in self.program.value(unit, node.func) if isinstance(atom, Ext)}
        first: set[Atom] = set(self.program.value(unit, node.args[0])) if node.args else here
        if paths & _NAMESPACES:
            yield first, _key(unit, node)
        elif paths & _LISTS_MEMBERS:
            yield first, _ANY
        elif paths & {"builtins.getattr", "builtins.setattr"} and len(node.args) > 1:
            pattern = _pattern(node.args[1])
            if not isinstance(node.args[1], ast.Constant):
                sought = "called" if _is_called(unit, node) else pattern
                yield self._or_any_class(first, sought), pattern

    def _or_any_class(self, owner: set[Atom], pattern: str) -> set[Atom]:
        """All classes for an owner that is not known, where more than any name is looked for."""
        if UNKNOWN not in owner or pattern == _ANY:
            return owner
        return {Cls(unit.number, cls.index) for unit in self.program.units.values() for cls in unit.facts.classes}

    def _class_of(self, unit: Unit, node: ast.expr) -> set[Atom]:
        """The classes in `type(x)` and `x.__class__`."""
        inner = None
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "type" and len(node.args) == 1:
            inner = node.args[0]
        elif isinstance(node, ast.Attribute) and node.attr == "__class__":
            inner = node.value
        return set(self.program.value(unit, inner)) if inner is not None else set()

    def _functions_of(self, atoms: set[Atom], pattern: str) -> Iterator[FunctionKey]:
        """The functions of these modules and classes (their bases and subclasses too) whose names match."""
        for atom in atoms:
            if isinstance(atom, Module) and atom.module in self.program.units:
                homes = {(atom.module, -1)}
            elif isinstance(atom, (Cls, Obj)):
                cls = Cls(atom.module, atom.index)
                family = (cls, *self.program.bases(cls), *self.program.values.subclasses(cls.module, cls.index))
                homes = {(each.module, each.index) for each in family}
            else:
                continue
            for module, cls_index in homes:
                for function in self.program.units[module].facts.functions:
                    here = function.cls == cls_index and (cls_index >= 0 or function.parent < 0)
                    if here and re.fullmatch(pattern, function.name):
                        yield module, function.index


def _key(unit: Unit, namespace: ast.expr) -> str:
    """A pattern of the names that are looked for in a namespace: all, unless a string says which."""
    parent = unit.facts.parents.get(namespace)
    if isinstance(parent, ast.Attribute) and parent.attr in library.TAKES:
        call = unit.facts.parents.get(parent)
        return _pattern(call.args[0]) if isinstance(call, ast.Call) and call.args else _ANY
    return _pattern(parent.slice) if isinstance(parent, ast.Subscript) else _ANY


def _pattern(name: ast.expr) -> str:
    """A regular expression of what a string can be."""
    match name:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(map(_pattern, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _pattern(left) + _pattern(right)
    return _ANY


def _is_called(unit: Unit, node: ast.Call) -> bool:
    """Whether what `getattr` gives is called, there or by the name of a variable, or given to somebody who may."""
    parent = unit.facts.parents.get(node)
    if isinstance(parent, (ast.Assign, ast.NamedExpr)):
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        calls = (other.func for other in unit.facts.numbers if isinstance(other, ast.Call))
        return any(isinstance(func, ast.Name) and func.id in names for func in calls)
    return isinstance(parent, ast.Return) or (isinstance(parent, ast.Call) and parent.func is node)


def _is_collected(unit: Unit, name: str) -> bool:
    """Whether a test runner calls a function for its name."""
    file = unit.source.path.name
    in_tests = any(fnmatch.fnmatch(file, pattern) for pattern in _TEST_FILES)
    return name.startswith("pytest_") or (in_tests and bool(_TEST_NAMES.match(name)))


def _in_all(parents: dict[ast.AST, ast.AST], node: ast.AST) -> bool:
    """Whether a string stands in `__all__ = [...]`, or is added to it."""
    while isinstance(parents.get(node), ast.expr):
        node = parents[node]
    statement = parents.get(node)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)
    return isinstance(statement, ast.Expr) and "__all__" in ast.unparse(statement)
