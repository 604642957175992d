"""Factories of fields: what constructing a dataclass, or a model of attrs or pydantic, calls for what is not given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from dbos_asyncify.project.lookup import Values
from dbos_asyncify.project.values import Atom, Cls, Ext

_ATTRS = ("attr.", "attrs.")
_WITHOUT_ARGUMENTS = ast.Call(ast.Name(""), [], [])


class Factory(NamedTuple):
    """The function that makes the value of a field where the constructor is given none."""

    field: str
    atom: Atom


class _Field(NamedTuple):
    """A field; `declared` is what `field(...)` says of it. Only `positional` ones can be given without their name."""

    module: int
    declared: ast.Call | None
    positional: bool


def factories(values: Values, cls: Cls, call: ast.Call) -> Iterator[Factory]:
    """The factories that this call of a class runs: those of the fields that it surely leaves out, and those of the
    classes which are such a factory themselves.

    With `**` among its arguments, or a keyword that is no field (another name of one, then), that is none.
    """
    pending = [(cls, call)]
    seen = {cls}
    while pending:
        for found in _own_factories(values, *pending.pop()):
            yield found
            if isinstance(found.atom, Cls) and found.atom not in seen:
                seen.add(found.atom)
                pending.append((found.atom, _WITHOUT_ARGUMENTS))


def _own_factories(values: Values, cls: Cls, call: ast.Call) -> Iterator[Factory]:
    if _has_own_constructor(values, cls):
        return
    fields = _fields(values, cls, {cls})
    if not all(word.arg in fields for word in call.keywords):
        return
    positional = [name for name, field in fields.items() if field.positional]
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    given = {*positional[: None if starred else len(call.args)], *(word.arg for word in call.keywords)}
    for name, field in fields.items():
        if name not in given and field.declared is not None:
            for atom in _factory(values, field.module, field.declared):
                yield Factory(name, atom)


def _has_own_constructor(values: Values, cls: Cls) -> bool:
    """Whether an `__init__` of the project takes the arguments, and gives the fields what it likes."""
    seen = {cls}
    pending = [cls]
    while pending:
        here = pending.pop()
        facts = values.facts[here.module].classes[here.index]
        if "__init__" in facts.attributes:
            return True
        decorators = [atom for decorator in facts.decorators for atom in values.value(here.module, decorator)]
        if any(isinstance(atom, Ext) for atom in decorators):
            continue  # `@dataclass` makes one, whatever the bases have
        bases = _bases(values, here)
        pending.extend(base for base in bases if base not in seen)
        seen.update(bases)
    return False


def _bases(values: Values, cls: Cls) -> list[Cls]:
    bases = values.facts[cls.module].classes[cls.index].bases
    return [atom for base in bases for atom in values.value(cls.module, base) if isinstance(atom, Cls)]


def _fields(values: Values, cls: Cls, seen: set[Cls]) -> dict[str, _Field]:
    """The fields in the order of the constructor, those of the bases first. `seen` are classes that are known."""
    found: dict[str, _Field] = {}
    for base in reversed(_bases(values, cls)):
        if base not in seen:
            seen.add(base)
            found.update(_fields(values, base, seen))
    facts = values.facts[cls.module]
    named = False
    for name, (_, annotation) in facts.classes[cls.index].annotations.items():
        kind = ast.unparse(annotation)
        named = named or "KW_ONLY" in kind
        if "KW_ONLY" not in kind and "ClassVar" not in kind:
            statement = facts.parents.get(annotation)
            value = statement.value if isinstance(statement, ast.AnnAssign) else None
            declared = value if isinstance(value, ast.Call) else None
            found[name] = _Field(cls.module, declared, not named and not _is_named(declared))
    return found


def _is_named(declared: ast.Call | None) -> bool:
    """Whether `field(...)` says that the constructor takes no argument by position for it."""
    said = {word.arg: ast.unparse(word.value) for word in declared.keywords} if declared else {}
    return said.get("init") == "False" or said.get("kw_only") == "True"


def _factory(values: Values, module: int, declared: ast.Call) -> Iterator[Atom]:
    """What another package's `field(...)` is given to call."""
    numbers = values.facts[module].numbers
    paths = [atom.path for atom in values.value(module, numbers.get(declared.func, -1)) if isinstance(atom, Ext)]
    words = {"default_factory", "factory"} if any(path.startswith(_ATTRS) for path in paths) else {"default_factory"}
    for word in declared.keywords if paths else ():
        if word.arg in words:
            yield from values.value(module, numbers.get(word.value, -1))
