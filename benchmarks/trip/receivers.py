"""Which class of dbos an expression is an instance of (or is itself): by imports, annotations and what made it."""

from __future__ import annotations

import ast
import re

from trip.api import Api
from trip.scopes import Binding, Names, Scope

_DECORATORS = ("step", "workflow", "transaction")


class Receivers:
    """The classes of one module's expressions, as far as they are certain."""

    def __init__(self, names: Names, api: Api) -> None:
        self.names = names
        self.api = api

    def class_of(self, node: ast.expr) -> str:
        """The name of the class, or an empty string."""
        return self._value(node, self.names.scopes[node], frozenset())

    def callee(self, call: ast.Call) -> tuple[str, str]:
        """The class and the name of the method that is called."""
        if isinstance(call.func, ast.Attribute):
            return self.class_of(call.func.value), call.func.attr
        return "", ""

    def role(self, node: ast.expr) -> str:
        """What dbos makes of the synchronous function that a name stands for: `step`, `workflow`, `transaction`."""
        scope = self.names.scopes[node].find(node.id) if isinstance(node, ast.Name) else None
        bindings = scope.names[node.id] if scope is not None and isinstance(node, ast.Name) else []
        if len(bindings) != 1 or not isinstance(bindings[0].node, ast.FunctionDef):
            return ""
        for decorator in bindings[0].node.decorator_list:
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                if decorator.func.attr in _DECORATORS:
                    return decorator.func.attr
        return ""

    def _value(self, node: ast.expr, scope: Scope, seen: frozenset[Binding]) -> str:
        if isinstance(node, ast.Await):
            return self._value(node.value, scope, seen)
        if isinstance(node, ast.Name):
            home = scope.find(node.id)
            bindings = home.names[node.id] if home is not None else []
            found = {self._bound(b, node.id, seen | {b}) for b in bindings if b not in seen}
            return found.pop() if len(found) == 1 else ""
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                owner = self._value(node.func.value, scope, seen)
                return self.api.returns.get(owner, {}).get(node.func.attr, "")
            return self._value(node.func, scope, seen)
        return ""

    def _bound(self, binding: Binding, name: str, seen: frozenset[Binding]) -> str:
        if isinstance(binding.node, ast.ImportFrom):
            return self._imported(binding.node, name)
        if binding.annotation is not None:
            return self._annotated(binding.annotation)
        if binding.value is None or binding.inside:
            return ""
        return self._value(binding.value, self.names.scopes[binding.value], seen)

    def _imported(self, node: ast.ImportFrom, name: str) -> str:
        if (node.module or "").partition(".")[0] != "dbos" or node.level:
            return ""
        original = next(alias.name for alias in node.names if (alias.asname or alias.name) == name)
        return original if original in self.api.forms else ""

    def _annotated(self, annotation: ast.expr) -> str:
        text = ast.unparse(annotation).strip("'\"")
        inner = re.fullmatch(r"Optional\[['\"]?(\w+)['\"]?\]|(\w+) \| None", text)
        name = (inner[1] or inner[2]) if inner else text.partition("[")[0]
        return name if name in self.api.forms else ""
