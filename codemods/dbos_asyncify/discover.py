"""Which files a run looks at, and a quick look into their bytes that saves parsing most of them."""

# os.path instead of pathlib: half the time on large trees, and no exception for what may not be looked at.
# ruff: noqa: PTH100, PTH110, PTH112, PTH113, PTH114, PTH118, PTH120, PTH206

from __future__ import annotations

import codecs
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import ignore
from ignore.overrides import Override, OverrideBuilder

from dbos_asyncify.findings import Problem

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
    to folders are not. What cannot be read comes as a Problem in between; a pattern that is none comes as the
    only Problem, and no file with it.
    """
    root = _absolute(root)
    patterns = [line for line in (*exclude, *extend_exclude) if line.strip() and not line.startswith("#")]
    overrides = _overrides(root, patterns)
    if isinstance(overrides, Problem):
        yield overrides
        return
    walker = _Walker(root, overrides, any(line.startswith("!") for line in patterns), respect_gitignore)
    seen: set[str] = set()
    links: list[_Found] = []
    for path in sorted(map(_absolute, paths)):
        if force_exclude and walker.excludes(path):
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
class _Walker:
    root: Path
    overrides: Override
    takes_back: bool  # whether a pattern starts with `!`
    respect_gitignore: bool
    _left_out: dict[Path, set[str | Problem]] = field(default_factory=dict)

    def files(self, top: Path) -> Iterator[_Found | Problem]:
        """The Python files below the folder `top`, in order."""
        start = os.path.join(top, "")
        real_top = os.path.realpath(top)
        in_environment = {str(top): False}  # whatever is named is taken
        wanted = (item for item in self._items(top) if isinstance(item, Problem) or item.endswith(".py"))
        for item in sorted(wanted, key=_place):
            if isinstance(item, Problem):
                yield item
                continue
            if _in_environment(os.path.dirname(item), in_environment):
                continue
            try:
                mode = os.lstat(item).st_mode
            except OSError as error:
                yield Problem(Path(item), f"cannot be read: {error.strerror or error}")
                continue
            if stat.S_ISREG(mode):
                yield _Found(item, os.path.join(real_top, item[len(start) :]), is_link=False)
            elif stat.S_ISLNK(mode) and os.path.isfile(item):
                yield _Found(item, os.path.realpath(item), is_link=True)

    def excludes(self, path: Path) -> bool:
        """Whether the patterns, not those of ignore files, leave out `path` or a folder above it."""
        steps = (step for step in (path, *path.parents) if self.root in step.parents)
        return any(str(step) in self._left_out_of(step.parent) for step in steps)

    def _left_out_of(self, folder: Path) -> set[str | Problem]:
        """What the patterns leave out of what is right in `folder`."""
        if folder not in self._left_out:
            taken = {*_items(folder, self.overrides, depth=1)}
            self._left_out[folder] = {*_items(folder, depth=1)} - taken
        return self._left_out[folder]

    def _items(self, top: Path) -> Iterable[str | Problem]:
        overrides = self.overrides if top == self.root or self.root in top.parents else None
        project = self.root if self.respect_gitignore else None
        if overrides is None or not self.takes_back:
            return _items(top, overrides, project=project)
        # In one go, a file that the patterns take back would be taken back from the ignore files too.
        return {*_items(top, project=project)} & {*_items(top, overrides)}


def _overrides(root: Path, patterns: Iterable[str]) -> Override | Problem:
    """The patterns the other way round: here those with a `!` leave out."""
    turned = [line[1:] if line.startswith("!") else "!" + line for line in patterns]
    if not all(line.startswith("!") for line in turned):
        turned.insert(0, "**")  # else nothing but what is taken back would be taken
    try:
        builder = OverrideBuilder(root)
        for line in turned:
            builder.add(line)
        return builder.build()
    except ignore.Error as error:
        return Problem(root, f"cannot tell what to exclude: {error}".replace("glob '!", "glob '"))
    except UnicodeEncodeError:
        return Problem(root, "cannot tell what to exclude: the name of the folder or a pattern is not UTF-8")


def _items(
    top: Path, overrides: Override | None = None, *, project: Path | None = None, depth: int | None = None
) -> Iterator[str | Problem]:
    """What there is at and below `top`, in any order; with `project`, its root, as its ignore files say."""
    try:
        builder = ignore.WalkBuilder(top)
    except UnicodeEncodeError:
        yield Problem(top, "cannot be read: its name is not UTF-8")
        return
    builder.hidden(False).ignore(False).git_global(False).max_depth(depth)
    if project is None:
        builder.git_ignore(False).git_exclude(False).parents(False)
    else:
        real = Path(os.path.realpath(top))
        in_repository = any(os.path.exists(folder / ".git") for folder in (real, *real.parents))
        # In a repository, what is above it does not count. Without one, the project is where to begin, but from a
        # folder inside it there is no way to say so: what is above the project counts there too.
        builder.require_git(in_repository).parents(in_repository or top != project)
    if overrides:
        builder.overrides(overrides)
    entries = builder.build()
    while True:  # an error does not end it
        try:
            entry = next(entries)
        except StopIteration:
            return
        except (ignore.Error, ignore.IOError) as error:
            yield _problem(top, str(error))
        else:
            yield str(entry.path())


_IO_ERROR = re.compile(
    r"(?P<path>.+): IO error for operation on (?P=path): (?P<reason>.+?)(?: \(os error \d+\))?", re.DOTALL
)


def _problem(top: Path, error: str) -> Problem:
    match = _IO_ERROR.fullmatch(error)
    return Problem(Path(match["path"]) if match else top, f"cannot be read: {match['reason'] if match else error}")


def _place(item: str | Problem) -> list[str]:
    return (str(item.path) if isinstance(item, Problem) else item).split(os.sep)


def _in_environment(folder: str, known: dict[str, bool]) -> bool:
    """Whether `folder` is in a virtual environment; `known` says it of the folders looked at and takes more."""
    above = []
    while folder not in known:
        above.append(folder)
        if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            known[folder] = True
        else:
            folder = os.path.dirname(folder)
    known.update(dict.fromkeys(above, known[folder]))
    return known[folder]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # takes `..` out and leaves symbolic links alone


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
    data = data.removeprefix(codecs.BOM_UTF8)
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
