"""Settings: the command line over `[tool.dbos-asyncify]` in pyproject.toml over the defaults."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, get_args

from packaging.version import InvalidVersion, Version

from dbos_asyncify.discover import DEFAULT_EXCLUDE
from dbos_asyncify.project.symbols import Declaration, Kind

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = "dbos-asyncify"
ALL = "ALL"

Scope = Literal["all", "workflows"]
Helpers = Literal["promote", "thread"]
_KINDS = ", ".join(map(repr, get_args(Kind)))


class ConfigError(Exception):
    """A setting that makes no sense; `path` and `line` say where, None and 0 for the command line."""

    def __init__(self, message: str, path: Path | None = None, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line

    def __str__(self) -> str:
        if self.path is None:
            return self.message
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run does. A field is a key of `[tool.dbos-asyncify]`, with hyphens for its underscores.

    Rules are named as on the command line: a name, a code, the beginning of codes, or ALL.
    """

    select: tuple[str, ...] = (ALL,)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    respect_gitignore: bool = True
    force_exclude: bool = False
    scope: Scope = "all"
    helpers: Helpers = "promote"
    dbos_version: str | None = None
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    declare: Mapping[str, Declaration] = field(default_factory=dict)

    def rules(self, known: Mapping[str, str]) -> frozenset[str]:
        """The codes of the rules that are on; `known` maps the code of every rule to its name."""
        chosen = {code for selector in self.select + self.extend_select for code in matching(selector, known)}
        return frozenset(chosen.difference(*(matching(selector, known) for selector in self.ignore)))

    def ignored_in(self, path: Path, root: Path, known: Mapping[str, str]) -> frozenset[str]:
        """The codes that per-file ignores turn off in the file at `path`; patterns are relative to `root`."""
        ignored: set[str] = set()
        for pattern, selectors in self.per_file_ignores.items():
            names = [path.name, path.relative_to(root).as_posix()] if path.is_relative_to(root) else [path.name]
            if any(fnmatch(name, pattern) for name in names):
                ignored.update(*(matching(selector, known) for selector in selectors))
        return frozenset(ignored)


def load(start: Path, known: Mapping[str, str], config: Path | None = None) -> Settings:
    """The settings for folder `start`: those of `config`, else of the nearest pyproject.toml with the table.

    `known` maps the code of every rule to its name.

    Raises ConfigError.
    """
    path = config or _nearest(start)
    if path is None:
        return Settings()
    text, document = _read_toml(path)
    table = _table(document)
    if table is None:
        raise ConfigError(f"has no table [tool.{TABLE}]", path)
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            name = _field_name(key)
            values[name] = _declared(value, path, text) if name == "declare" else _checked(name, key, value, known)
        except ConfigError as error:
            raise ConfigError(error.message, path, error.line or _line_of(key, text)) from None
    return replace(Settings(), **values)


def override(settings: Settings, given: Mapping[str, object], known: Mapping[str, str]) -> Settings:
    """`settings` with what the command line says: `given` maps fields to values, None to keep what is there.

    Raises ConfigError.
    """
    values = {
        name: _checked(name, "--" + name.replace("_", "-"), value, known)
        for name, value in given.items()
        if value is not None
    }
    return replace(settings, **values)


def matching(selector: str, known: Mapping[str, str]) -> frozenset[str]:
    """The codes of `known` that `selector` stands for; none if it is unknown."""
    if selector == ALL:
        return frozenset(known)
    prefix = re.fullmatch(r"[A-Z]+\d*", selector)
    return frozenset(code for code, name in known.items() if name == selector or (prefix and code.startswith(selector)))


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML document at `path`.

    Raises ConfigError where it is unreadable or no TOML.
    """
    return _read_toml(path)[1]


def version(shown: str, value: object) -> str:
    """`value`, which the user calls `shown`, as a version; raises ConfigError where it is none."""
    try:
        return str(Version(value if isinstance(value, str) else ""))
    except InvalidVersion:
        raise ConfigError(f'`{shown}` must be a version such as "3.4.0", not {value!r}') from None


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_bytes().decode()
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", path) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8", path, error.object.count(b"\n", 0, error.start) + 1) from error
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else len(text.splitlines())
        message = str(error)[: place.start()] if place else str(error)
        raise ConfigError(f"is not valid TOML: {message}", path, line) from error


def _nearest(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file() and _table(read_toml(path)) is not None:
            return path
    return None


def _table(document: dict[str, Any]) -> dict[str, Any] | None:
    tool = document.get("tool")
    table = tool.get(TABLE) if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _field_name(key: str) -> str:
    keys = {each.name.replace("_", "-"): each.name for each in fields(Settings)}
    if key not in keys:
        raise ConfigError(f"unknown key `{key}` in [tool.{TABLE}]{_suggestion(key, keys)}")
    return keys[key]


_CHOICES = {"scope": get_args(Scope), "helpers": get_args(Helpers)}


def _checked(name: str, shown: str, value: object, known: Mapping[str, str]) -> Any:
    """`value` as field `name` holds it; `shown` is what the user calls that field."""
    if name == "per_file_ignores":
        if not isinstance(value, Mapping):
            raise ConfigError(f"`{shown}` must be a table of file patterns with lists of rules")
        return {pattern: _selectors(shown, rules, known) for pattern, rules in value.items()}
    if name in ("select", "ignore", "extend_select"):
        return _selectors(shown, value, known)
    if name in ("exclude", "extend_exclude"):
        return _strings(shown, value)
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ConfigError(f"`{shown}` must be one of {', '.join(map(repr, _CHOICES[name]))}")
        return value
    if name == "dbos_version":
        return version(shown, value)
    if not isinstance(value, bool):
        raise ConfigError(f"`{shown}` must be true or false")
    return value


def _declared(value: object, path: Path, text: str) -> dict[str, Declaration]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"`declare` must be a table of dotted names, each with one of {_KINDS}")
    found = {}
    for name, kind in _flat(value):
        line = _line_of("declare", text, name)
        if kind not in get_args(Kind):
            suggestion = _suggestion(kind, get_args(Kind)) if isinstance(kind, str) else ""
            raise ConfigError(f"`{name}` must be declared as one of {_KINDS}{suggestion}", line=line)
        if "." not in name or not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(f"`{name}` in `declare` is not a dotted name such as `app.registry.pick`", line=line)
        found[name] = Declaration(kind, path, line)
    return found


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The entries of a table: a dotted name without quotes is tables in tables to TOML."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield above + key, value


def _strings(shown: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"`{shown}` must be a list of strings")
    return tuple(value)


def _selectors(shown: str, value: object, known: Mapping[str, str]) -> tuple[str, ...]:
    selectors = _strings(shown, value)
    for selector in selectors:
        if not matching(selector, known):
            raise ConfigError(
                f"unknown rule `{selector}` in `{shown}`{_suggestion(selector, [*known, *known.values()])}"
            )
    return selectors


def _suggestion(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f": did you mean `{close[0]}`?" if close else ""


def _line_of(key: str, text: str, entry: str = "") -> int:
    """The line of `key` in the table, or of `entry` in the table `key`; 0 where it is written in a way that
    is not looked for."""
    header, found = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if opened := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            header = re.sub(r"[\s\"']", "", opened[1])
            if header == f"tool.{TABLE}.{key}":
                found = found or number
        elif header == f"tool.{TABLE}" and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]", line):
            found = found or number
            if entry in line:
                return number
        elif entry and header == f"tool.{TABLE}.{key}" and re.match(rf"\s*[\"']?{re.escape(entry)}[\"']?\s*=", line):
            return number
    return found
