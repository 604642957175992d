"""Which dbos, and which Python, the project runs on: the lowest version of each that it allows."""

from __future__ import annotations

import configparser
import importlib.metadata
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dbos_asyncify import config
from dbos_asyncify.findings import Problem

_LOCK_FILES = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "pylock.*.toml")
_REQUIREMENTS = ("requirements*.txt", "requirements/*.txt")
_LOWER_BOUNDS = ("==", "===", ">=", ">", "~=")
# Poetry's own: `^2.3` and `~2.3` begin at 2.3, a bare `2.3` is exactly that.
_POETRY_BOUND = re.compile(r"^\s*(?P<operator>\^|~(?!=)|)\s*(?=\d)")


@dataclass(frozen=True, slots=True)
class Target:
    """The dbos version to write for, None for the newest known; `origin` says where it was found."""

    version: str | None
    origin: str
    problems: tuple[Problem, ...] = ()


def find_target(root: Path, explicit: str | None, configured: str | None) -> Target:
    """The lowest dbos version that the project at `root` allows.

    `explicit` comes from the command line, `configured` from the settings. After them count lock files,
    requirements files, pyproject.toml and setup.cfg, in `root` and in the folders above it up to the top of
    the repository, and last the installed dbos. Of several statements of one kind the lowest counts.

    Raises ConfigError if `explicit` or `configured` is no version.
    """
    if explicit is not None:
        return Target(config.version("--dbos-version", explicit), "--dbos-version")
    if configured is not None:
        return Target(config.version("dbos-version", configured), f"[tool.{config.TABLE}] dbos-version")
    problems: list[Problem] = []
    for patterns, versions in _KINDS:
        for folder in _folders(root):
            found = []
            for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
                try:
                    found += [(version, path) for version in versions(path)]
                except config.ConfigError as error:
                    problems.append(Problem(path, error.message, line=error.line))
            if found:
                version, path = min(found)
                return Target(str(version), path.relative_to(folder).as_posix(), tuple(problems))
    try:
        return Target(importlib.metadata.version("dbos"), "the installed dbos", tuple(problems))
    except importlib.metadata.PackageNotFoundError:
        return Target(None, "the newest known", tuple(problems))


def target_python(root: Path) -> tuple[int, int] | None:
    """The lowest Python that the project at `root` says to run on, None where it says nothing readable."""
    document: object = {}
    with suppress(config.ConfigError):
        document = config.read_toml(root / "pyproject.toml")
    bounds = [
        _lower_bound(_get(document, "project", "requires-python")),
        _poetry_bound(_get(document, "tool", "poetry", "dependencies", "python")),
    ]
    with suppress(config.ConfigError):
        bounds.append(_lower_bound(_setup_cfg(root / "setup.cfg").get("options", "python_requires", fallback="")))
    lowest = next(_versions(bounds), None)
    return (lowest.major, lowest.minor) if lowest else None


def _folders(root: Path) -> list[Path]:
    """`root` and what is above it in the same repository, where a workspace keeps its lock file."""
    above = [root, *root.parents]
    tops = [index for index, folder in enumerate(above) if (folder / ".git").exists()]
    return above[: tops[0] + 1] if tops else [root]


def _locked(path: Path) -> Iterator[Version]:
    document = config.read_toml(path)
    for key in ("package", "packages"):
        for package in _list(document.get(key)):
            if isinstance(package, dict) and package.get("name") == "dbos":
                yield from _versions([_version(package.get("version"))])


def _required(path: Path) -> Iterator[Version]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise config.ConfigError(f"cannot be read: {error.strerror or error}", path) from error
    except UnicodeDecodeError as error:
        raise config.ConfigError("is not UTF-8", path) from error
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    yield from _versions(_requirement_bound(re.split(r"\s#|\s--", " " + line)[0]) for line in lines)


def _declared(path: Path) -> Iterator[Version]:
    document = config.read_toml(path)
    lists = [_get(document, "project", "dependencies")]
    lists += _tables(_get(document, "project", "optional-dependencies"))
    lists += _tables(_get(document, "dependency-groups"))
    for each in lists:
        yield from _versions(_requirement_bound(item) for item in _list(each))
    poetry = _get(document, "tool", "poetry")
    tables = [_get(poetry, "dependencies"), _get(poetry, "dev-dependencies")]
    tables += [_get(group, "dependencies") for group in _tables(_get(poetry, "group"))]
    yield from _versions(_poetry_bound(_get(table, "dbos")) for table in tables)


def _in_setup_cfg(path: Path) -> Iterator[Version]:
    parser = _setup_cfg(path)
    texts = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        texts += [text for _, text in parser.items("options.extras_require")]
    yield from _versions(_requirement_bound(line) for text in texts for line in text.splitlines())


_KINDS: tuple[tuple[tuple[str, ...], Callable[[Path], Iterator[Version]]], ...] = (
    (_LOCK_FILES, _locked),
    (_REQUIREMENTS, _required),
    (("pyproject.toml",), _declared),
    (("setup.cfg",), _in_setup_cfg),
)


def _setup_cfg(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise config.ConfigError(f"is not a valid setup.cfg: {error}", path) from error
    return parser


def _requirement_bound(text: object) -> Version | None:
    """The lowest dbos that the requirement `text` allows; None for other packages, URLs and no bound."""
    try:
        requirement = Requirement(str(text).strip())
    except InvalidRequirement:
        return None
    if canonicalize_name(requirement.name) != "dbos":
        return None
    return _lower_bound(str(requirement.specifier))


def _poetry_bound(constraint: object) -> Version | None:
    """As `_lower_bound`, for what Poetry writes: `^2.3`, `~2.3`, `2.3`, `{version = ...}`, a list of them."""
    if isinstance(constraint, dict):
        return _poetry_bound(constraint.get("version"))
    parts = constraint if isinstance(constraint, list) else re.split(r"\s*\|\|?\s*", str(constraint))
    if len(parts) > 1:
        return min(_versions(map(_poetry_bound, parts)), default=None)
    terms = re.split(r"\s*,\s*|(?<=[\d*])\s+", str(parts[0]).strip())
    return _lower_bound(",".join(_POETRY_BOUND.sub(_as_specifier, term) for term in terms))


def _as_specifier(match: re.Match[str]) -> str:
    return ">=" if match["operator"] else "=="


def _lower_bound(specifier: object) -> Version | None:
    try:
        terms = list(SpecifierSet(str(specifier)))
    except InvalidSpecifier:
        return None
    found = [_version(term.version.removesuffix(".*")) for term in terms if term.operator in _LOWER_BOUNDS]
    return max(_versions(found), default=None)


def _version(text: object) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:
        return None


def _versions(found: Iterable[Version | None]) -> Iterator[Version]:
    return (version for version in found if version is not None)


def _get(document: object, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _tables(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else []
