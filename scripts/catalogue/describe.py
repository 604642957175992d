"""One release as rows: its public names, and the members of its public classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from catalogue.loop import on_loop, strongest
from catalogue.source import Function, Method, Package

Row: TypeAlias = dict[str, Any]

_HANDLE = "WorkflowHandle"
_LISTS = frozenset({"list", "List", "Sequence"})


@dataclass(frozen=True)
class Release:
    """The rows of one release, by what they are about."""

    names: dict[tuple[str, ...], Row]
    members: dict[tuple[str, ...], Row]


def describe(package: Package) -> Release:
    """The public names of `package` (handle classes too where it does not export them) and their members."""
    names: dict[tuple[str, ...], Row] = {}
    classes: dict[str, dict[str, Method]] = {}
    for name in package.exports():
        definition = package.resolve(package.name, name)
        if definition is None:
            raise RuntimeError(f"{package.name} exports {name}, which is not found in it")
        names[(name,)] = {"kind": definition.kind, "exported": True}
        if definition.kind == "class":
            classes[name] = package.methods(definition)
    for name, definition in package.classes(_HANDLE):
        names.setdefault((name,), {"kind": "class", "exported": False})
        classes[name] = package.methods(definition)
    members: dict[tuple[str, ...], Row] = {
        (owner, method.name): _member(package, classes, owner, method)
        for owner, methods in classes.items()
        for method in methods.values()
        if not method.name.startswith("_")
    }
    return Release(names, members)


def _member(package: Package, classes: dict[str, dict[str, Method]], owner: str, method: Method) -> Row:
    row: Row = {"kind": _kind(method)}
    colour = _colour(method.node)
    if colour is not None:
        row["async"] = colour
    else:
        row["on_loop"] = _on_loop(package, classes, owner, method)
        form = _async_form(classes, owner, method, row["kind"])
        if form is not None:
            form_owner, other = form
            row["async_form"] = other.name
            if form_owner != owner:
                row["async_owner"] = form_owner
            different = _different_parameters(method, other)
            if different and row["kind"] != "property":
                row["different_parameters"] = different
    returns = _returns(method.node.returns, frozenset(classes))
    if returns is not None:
        row["returns"], container = returns
        if container:
            row["container"] = container
    return row


def _kind(method: Method) -> str:
    if "property" in method.decorators:
        return "property"
    if "classproperty" in method.decorators:
        return "classproperty"
    if _yields(method.node) or _annotated(method.node, "Generator", "AsyncGenerator", "Iterator"):
        return "generator"
    if any(_annotated(node, "Callable") for node in (method.node, *method.overloads)):
        return "decorator"
    return "method"


def _colour(node: Function) -> str | None:
    """What a call gives to the event loop; None where it gives nothing."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "async_generator" if _yields(node) else "coroutine"
    if _annotated(node, "AsyncGenerator", "AsyncIterator"):
        return "async_generator"
    return "awaitable" if _annotated(node, "Coroutine", "Awaitable") else None


def _on_loop(package: Package, classes: dict[str, dict[str, Method]], owner: str, method: Method) -> str:
    if not _is_stub(method.node):
        return on_loop(package, method)
    # A protocol says nothing: ask the classes that stand behind it.
    behind = (methods.get(method.name) for name, methods in classes.items() if name.startswith(owner))
    return strongest(
        on_loop(package, other)
        for other in behind
        if other and not _is_stub(other.node) and _colour(other.node) is None
    )


def _async_form(
    classes: dict[str, dict[str, Method]], owner: str, method: Method, kind: str
) -> tuple[str, Method] | None:
    name = f"get_{method.name}_async" if kind == "property" else f"{method.name}_async"
    if name in classes[owner]:
        return owner, classes[owner][name]
    twin = f"Async{owner}"
    for candidate in (name, method.name):
        other = classes.get(twin, {}).get(candidate)
        if other is not None and _colour(other.node) is not None:
            return twin, other
    return None


def _different_parameters(one: Method, other: Method) -> list[str]:
    """The names of parameters that only one of two functions has, or that they take in different ways."""
    return sorted({parameter[0] for parameter in set(_parameters(one)) ^ set(_parameters(other))})


def _parameters(method: Method) -> Iterator[tuple[str, str, int, str]]:
    """Each parameter's name, kind, place (of positional ones) and default, without `self` or `cls`."""
    arguments = method.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    bound = "staticmethod" not in method.decorators
    for place, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        if place or not bound:
            kind = "positional only" if argument in arguments.posonlyargs else "any"
            yield argument.arg, kind, place, ast.unparse(default) if default else ""
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument.arg, "keyword only", 0, ast.unparse(default) if default else ""
    if arguments.vararg:
        yield arguments.vararg.arg, "*", 0, ""
    if arguments.kwarg:
        yield arguments.kwarg.arg, "**", 0, ""


def _returns(annotation: ast.expr | None, classes: frozenset[str]) -> tuple[str, str] | None:
    """The public class that an annotation names, and "", "optional" or "list"."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _returns(ast.parse(annotation.value.strip(), mode="eval").body, classes)
    if isinstance(annotation, ast.Subscript):
        outer = _last_name(annotation.value)
        if outer in classes:
            return outer, ""
        container = "optional" if outer == "Optional" else "list" if outer in _LISTS else None
        inner = _returns(annotation.slice, classes) if container else None
        return (inner[0], container) if inner and container and not inner[1] else None
    name = _last_name(annotation)
    return (name, "") if name in classes else None


def _annotated(node: Function, *names: str) -> bool:
    annotation = node.returns
    return isinstance(annotation, ast.Subscript) and _last_name(annotation.value) in names


def _last_name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _yields(node: Function) -> bool:
    pending: list[ast.AST] = list(node.body)
    while pending:
        current = pending.pop()
        if isinstance(current, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(current, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(current))
    return False


def _is_stub(node: Function) -> bool:
    return all(isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) for statement in node.body)
