"""What a release of dbos offers in both forms, read from its source: the pairs, and what their results are."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

_HANDLE = "WorkflowHandleAsync"


@dataclass(frozen=True, slots=True)
class Form:
    """An asynchronous method: the name of its synchronous form, and what it gives."""

    name: str
    is_generator: bool
    is_property: bool
    gives_handle: bool


@dataclass(slots=True)
class Api:
    """The classes of a release: `forms[class][asynchronous name]`, and the class that each method returns."""

    forms: dict[str, dict[str, Form]] = field(default_factory=dict)
    returns: dict[str, dict[str, str]] = field(default_factory=dict)


def read(package: Path) -> Api:
    """The classes that `package` exports, wherever it defines them."""
    entry = ast.walk(ast.parse(package.joinpath("__init__.py").read_bytes()))
    exported = {alias.name for node in entry if isinstance(node, ast.ImportFrom) for alias in node.names}
    found = [
        node
        for path in sorted(package.glob("*.py"))
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.ClassDef) and node.name in exported
    ]
    names = {cls.name for cls in found}
    api = Api()
    for cls in found:
        methods = {n.name: n for n in cls.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
        api.returns[cls.name] = {name: _class(method, names, cls.name) for name, method in methods.items()}
        api.forms[cls.name] = {
            name: form for name, method in methods.items() if (form := _form(name, method, methods)) is not None
        }
    return api


def _form(
    name: str,
    method: ast.FunctionDef | ast.AsyncFunctionDef,
    methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef],
) -> Form | None:
    if not name.endswith("_async"):
        return None
    returned = ast.unparse(method.returns) if method.returns else ""
    plain = name.removesuffix("_async")
    if plain in methods:
        return Form(plain, "AsyncGenerator" in returned, False, _HANDLE in returned)
    getter = methods.get(plain.removeprefix("get_"))
    if getter is not None and any(isinstance(d, ast.Name) and d.id == "property" for d in getter.decorator_list):
        return Form(getter.name, False, True, False)
    return None


def _class(method: ast.FunctionDef | ast.AsyncFunctionDef, names: set[str], owner: str) -> str:
    """The class of the release that a method gives, alone or as an Optional."""
    if method.returns is None:
        return ""
    text = ast.unparse(method.returns).strip("'\"")
    inner = re.fullmatch(r"Optional\[['\"]?(\w+)['\"]?\]", text)
    name = inner[1] if inner else re.sub(r"\[.*", "", text)
    return owner if name == "Self" else name if name in names else ""
