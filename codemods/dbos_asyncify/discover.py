"""Which files a run looks at, and a quick look into their bytes that saves parsing most of them."""

# os.path instead of pathlib: half the time on large trees, and no exception for what may not be looked at.
# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH114, PTH118

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from dbos_asyncify.findings import Problem
from dbos_asyncify.gitignore import Patterns

DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".git-rewrite",
    ".hg",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".pants.d",
    ".pyenv",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)
_ROOT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")


def project_root(paths: Iterable[Path]) -> Path:
    """The folder of the project that holds all `paths`; their common folder where nothing marks a project."""
    folders = [path if os.path.isdir(path) else path.parent for path in map(_absolute, paths)]
    common = Path(os.path.commonpath(folders)) if folders else Path.cwd()
    for folder in (common, *common.parents):
        if any(os.path.exists(folder / mark) for mark in _ROOT_MARKS):
            return folder
    return common


def walk(
    paths: Iterable[Path],
    *,
    root: Path,
    exclude: Sequence[str] = DEFAULT_EXCLUDE,
    extend_exclude: Sequence[str] = (),
    respect_gitignore: bool = True,
    force_exclude: bool = False,
) -> Iterator[Path | Problem]:
    """The Python files at and under `paths`, as absolute paths in a fixed order, each file once.

    `exclude` and `extend_exclude` are patterns as in a .gitignore file at `root`. What `paths` names itself
    is always taken, whatever its suffix, unless `force_exclude`. Symbolic links to files are followed, those
    to folders are not. What cannot be read comes as a Problem in between.
    """
    excluded = _Rules(_with_separator(_absolute(root)), Patterns.parse([*exclude, *extend_exclude]))
    walker = _Walker(excluded, respect_gitignore=respect_gitignore)
    seen: set[str] = set()
    links: list[_Found] = []
    for path in sorted(map(_absolute, paths)):
        if force_exclude and _excluded_with_parents(path, excluded):
            continue
        if os.path.isdir(path):
            found: Iterable[_Found | Problem] = walker.files(path)
        elif os.path.isfile(path):
            found = [_Found(str(path), os.path.realpath(path), os.path.islink(path))]
        else:
            found = [Problem(path, "is not a file" if os.path.exists(path) else "no such file or directory")]
        for item in found:
            if isinstance(item, Problem):
                yield item
            elif item.is_link:
                links.append(item)
            elif item.real not in seen:
                seen.add(item.real)
                yield Path(item.path)
    # A file that is found under its own name as well goes by that.
    for link in links:
        if link.real not in seen:
            seen.add(link.real)
            yield Path(link.path)


class _Found(NamedTuple):
    path: str
    real: str
    is_link: bool


@dataclass(frozen=True, slots=True)
class _Rules:
    """Patterns, and the folder that they are relative to, with a separator at its end."""

    base: str
    patterns: Patterns

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: left out; False: taken back in by a `!` pattern; None: no pattern matches."""
        if not path.startswith(self.base):
            return None
        relative = path[len(self.base) :]
        if os.sep != "/":
            relative = relative.replace(os.sep, "/")
        return self.patterns.verdict(relative, is_folder=is_folder)


class _Folder(NamedTuple):
    path: str
    real: str
    rules: tuple[_Rules, ...]


@dataclass(frozen=True, slots=True)
class _Walker:
    excluded: _Rules
    respect_gitignore: bool

    def files(self, top: Path) -> Iterator[_Found | Problem]:
        rules = self._rules_above(top) if self.respect_gitignore else ()
        return self._walk(_Folder(str(top), os.path.realpath(top), rules))

    def _rules_above(self, top: Path) -> tuple[_Rules, ...]:
        """What the ignore files above `top` say, the strongest last; nothing if they say to leave it out."""
        above: list[Path] = []
        for folder in (top, *top.parents):
            above.insert(0, folder)
            if os.path.exists(folder / ".git") or _with_separator(folder) == self.excluded.base:
                break
        else:
            return ()
        rules: tuple[_Rules, ...] = ()
        for folder, below in pairwise(above):
            rules += _ignore_files(str(folder))
            if _ignored(str(below), rules, is_folder=True):
                return ()
        return rules

    def _walk(self, top: _Folder) -> Iterator[_Found | Problem]:
        todo: list[_Found | _Folder] = [top]
        while todo:
            item = todo.pop()
            if isinstance(item, _Found):
                yield item
                continue
            try:
                with os.scandir(item.path) as entries:
                    found = sorted(entries, key=lambda entry: entry.name, reverse=True)
            except OSError as error:
                yield Problem(Path(item.path), f"cannot be read: {error.strerror or error}")
                continue
            todo += self._taken(item, found)

    def _taken(self, folder: _Folder, entries: list[os.DirEntry[str]]) -> Iterator[_Found | _Folder]:
        rules = folder.rules
        if self.respect_gitignore and any(entry.name in (".git", ".gitignore") for entry in entries):
            rules += _ignore_files(folder.path)
        for entry in entries:
            path = entry.path
            real = os.path.join(folder.real, entry.name)
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not (entry.name.endswith(".py") and _is_file(entry)):
                continue
            if self.excluded.verdict(path, is_folder=is_folder) or _ignored(path, rules, is_folder=is_folder):
                continue
            if is_folder and not os.path.exists(os.path.join(path, "pyvenv.cfg")):
                yield _Folder(path, real, rules)
            elif entry.is_symlink():
                yield _Found(path, os.path.realpath(path), is_link=True)
            elif not is_folder:
                yield _Found(path, real, is_link=False)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # takes `..` out and leaves symbolic links alone


def _excluded_with_parents(path: Path, excluded: _Rules) -> bool:
    return bool(excluded.verdict(str(path), is_folder=os.path.isdir(path))) or any(
        excluded.verdict(str(folder), is_folder=True) for folder in path.parents
    )


def _with_separator(folder: Path | str) -> str:
    return os.path.join(folder, "")


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or a link to one; not a pipe, a socket, a link to a folder or to nothing."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _ignored(path: str, rules: tuple[_Rules, ...], *, is_folder: bool) -> bool:
    for rule in reversed(rules):
        verdict = rule.verdict(path, is_folder=is_folder)
        if verdict is not None:
            return verdict
    return False


def _ignore_files(folder: str) -> tuple[_Rules, ...]:
    """The rules of the ignore files in `folder`, the strongest last."""
    rules = []
    for name in (".git/info/exclude", ".gitignore"):
        try:
            data = (Path(folder) / name).read_bytes()
        except OSError:
            continue
        lines = [line.removesuffix("\r") for line in os.fsdecode(data).removeprefix("\ufeff").split("\n")]
        rules.append(_Rules(_with_separator(folder), Patterns.parse(lines)))
    return tuple(rules)


class Import(NamedTuple):
    """One imported module: `from ..a import b, c` is level 2, module "a", names b and c."""

    level: int
    module: str
    names: tuple[str, ...] = ()


_NAME = rb"[\w\x80-\xff]"
_SPACE = rb"(?:[ \t\f]|\\\r\n|\\\r|\\\n)*"
# The keyword comes first for speed: so the search is for plain text.
_IMPORT = re.compile(rb"import(?<![\w.\x80-\xff]import)(?!" + _NAME + rb")")
_FROM = re.compile(
    rb"from(?<![\w.\x80-\xff]from)"
    + _SPACE
    + rb"(?P<dots>(?:\."
    + _SPACE
    + rb")*)(?P<module>(?:"
    + _NAME
    + rb"+"
    + _SPACE
    + rb"(?:\."
    + _SPACE
    + _NAME
    + rb"+"
    + _SPACE
    + rb")*)?)(?<!"
    + _NAME
    + rb")(?P<keyword>import)(?!"
    + _NAME
    + rb")"
)
_IMPORTED = re.compile(_SPACE + rb"(?P<names>\((?:[^()#]|\#[^\r\n]*)*\)|(?:[^\r\n;#\\]|\\\r\n|\\\r|\\\n)*)")
_NOT_A_NAME = re.compile(rb"\#[^\r\n]*|[\\()\s]+")


def mentions_dbos(data: bytes) -> bool:
    """Whether dbos is named anywhere in `data`; a file that imports dbos always names it."""
    return b"dbos" in data or b"DBOS" in data


def imports(data: bytes) -> frozenset[Import]:
    """The imports that `data`, Python source text, seems to hold: all of the real ones, perhaps some more.

    The text is not parsed: what looks like an import in a string or a comment counts as well.
    """
    found = set()
    claimed = set()
    for match in _FROM.finditer(data):
        header = match[0]
        if b"\n" not in header and b"\r" not in header:
            claimed.add(match.start("keyword"))
        names = tuple(name for name in _imported(data, match.end()) if name)
        found.add(Import(match["dots"].count(b"."), _clean(match["module"]), names))
    for match in _IMPORT.finditer(data):
        if match.start() not in claimed:
            found.update(Import(0, name) for name in _imported(data, match.end()) if name)
    return frozenset(found)


def _imported(data: bytes, start: int) -> list[str]:
    """The names after an `import` keyword that ends at `start`, without their `as` parts."""
    match = _IMPORTED.match(data, start)
    assert match
    plain = _NOT_A_NAME.sub(b" ", match["names"])
    return [_clean(re.split(rb"\sas\s", part.strip())[0]) for part in plain.split(b",")]


def _clean(name: bytes) -> str:
    text = b"".join(_NOT_A_NAME.sub(b"", name).split()).decode(errors="replace")
    return unicodedata.normalize("NFKC", text)  # as Python does with every identifier
