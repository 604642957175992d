"""One released package as syntax trees: its modules, what their names are bound to, the bodies of classes."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
# A definition in the module itself, or the module and name that an import takes it from.
_Binding: TypeAlias = ast.AST | tuple[str, str]


@dataclass(frozen=True)
class Definition:
    """What a name stands for: a class, a function, or anything else (a module has the node ast.Module)."""

    module: str
    node: ast.AST

    @property
    def kind(self) -> str:
        if isinstance(self.node, ast.ClassDef):
            return "class"
        if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return "function"
        return "module" if isinstance(self.node, ast.Module) else "value"


@dataclass(frozen=True)
class Method:
    """The function that implements a member of a class, and its overloads."""

    name: str
    module: str
    owner: str
    node: Function
    overloads: tuple[Function, ...]

    @property
    def decorators(self) -> frozenset[str]:
        return frozenset(ast.unparse(decorator) for decorator in self.node.decorator_list)


class Package:
    """A package in a wheel. Nothing of it is executed."""

    def __init__(self, wheel: Path, name: str) -> None:
        self.name = name
        with zipfile.ZipFile(wheel) as archive:
            self._sources = {
                _module_name(entry): archive.read(entry).decode()
                for entry in archive.namelist()
                if entry.startswith(f"{name}/") and entry.endswith(".py")
            }
        # Most modules are never asked for, so they are parsed when they are.
        self._trees: dict[str, ast.Module] = {}
        self._bindings: dict[str, dict[str, _Binding]] = {}
        self._methods: dict[Definition, dict[str, Method]] = {}

    def exports(self) -> list[str]:
        """The names in the package's `__all__`."""
        for statement in self._tree(self.name).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
                return sorted(ast.literal_eval(statement.value))
        raise RuntimeError(f"{self.name}/__init__.py has no __all__")

    def resolve(self, module: str, name: str) -> Definition | None:
        """What `name` means in `module`; None for what comes from other packages."""
        if module not in self._sources:
            return None
        bound = self._bind(module).get(name)
        if isinstance(bound, tuple):
            return self.resolve(*bound)
        if bound is None and f"{module}.{name}" in self._sources:
            return Definition(f"{module}.{name}", self._tree(f"{module}.{name}"))
        return Definition(module, bound) if bound is not None else None

    def classes(self, prefix: str) -> Iterator[tuple[str, Definition]]:
        """The classes anywhere in the package whose names begin with `prefix`."""
        for module, text in self._sources.items():
            for name, bound in self._bind(module).items() if f"class {prefix}" in text else ():
                if name.startswith(prefix) and isinstance(bound, ast.ClassDef):
                    yield name, Definition(module, bound)

    def methods(self, definition: Definition) -> dict[str, Method]:
        """The functions in the body of a class and of its bases in this package, private ones too."""
        if definition not in self._methods:
            self._methods[definition] = self._read_methods(definition)
        return self._methods[definition]

    def _read_methods(self, definition: Definition) -> dict[str, Method]:
        node = definition.node
        assert isinstance(node, ast.ClassDef)
        found: dict[str, Method] = {}
        for base in reversed(node.bases):
            parent = self.resolve(definition.module, ast.unparse(base).partition("[")[0])
            if parent is not None and isinstance(parent.node, ast.ClassDef):
                found |= self.methods(parent)
        overloads: dict[str, list[Function]] = {}
        for statement in node.body:
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            decorators = {ast.unparse(decorator) for decorator in statement.decorator_list}
            if "overload" in decorators:
                overloads.setdefault(statement.name, []).append(statement)
            elif f"{statement.name}.setter" not in decorators:
                found[statement.name] = Method(
                    statement.name,
                    definition.module,
                    node.name,
                    statement,
                    tuple(overloads.get(statement.name, ())),
                )
        return found

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            self._trees[module] = ast.parse(self._sources[module], module)
        return self._trees[module]

    def _bind(self, module: str) -> dict[str, _Binding]:
        """What the names at the top of `module` are bound to."""
        if module not in self._bindings:
            self._bindings[module] = dict(self._read_bindings(module))
        return self._bindings[module]

    def _read_bindings(self, module: str) -> Iterator[tuple[str, _Binding]]:
        for statement in _flat(self._tree(module).body):
            if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield statement.name, statement
            elif isinstance(statement, ast.ImportFrom):
                source = self._absolute(module, statement)
                for alias in statement.names:
                    yield alias.asname or alias.name, (source, alias.name)
            elif isinstance(statement, ast.Assign | ast.AnnAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        yield target.id, statement

    def _absolute(self, module: str, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        is_package = any(other.startswith(f"{module}.") for other in self._sources)
        parts = module.split(".")
        parts = parts[: len(parts) - statement.level + is_package]
        return ".".join([*parts, *([statement.module] if statement.module else [])])


def _module_name(entry: str) -> str:
    return entry.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _flat(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Module-level statements, those in `if TYPE_CHECKING:` and the like too."""
    for statement in statements:
        if isinstance(statement, ast.If | ast.Try):
            yield from _flat(statement.body)
        yield statement
