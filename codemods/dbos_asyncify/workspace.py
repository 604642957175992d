"""From paths to the files of a project that take part in a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dbos_asyncify.config import Settings
from dbos_asyncify.discover import imports, mentions_dbos, project_root, walk
from dbos_asyncify.findings import Problem
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.source import Source, SourceError, from_bytes

_NAMING_FILES = ("pyproject.toml", "setup.cfg", "Procfile")
_LIBRARY = {"__init__.py", "_dbos.py", "_sys_db.py"}


@dataclass(frozen=True, slots=True)
class Workspace:
    """What a run looks at.

    `files` are all Python files of the project; `sources` those that take part: they import dbos, or (through
    however many modules of the project) a file that does, and imports connect them with the files given. `given` are
    the files that the user named, by themselves or by a folder: only they are reported on and changed.
    `entry_points` are the functions that the project's other files name (`mail = "app.mail:main"`), `stubbed` the
    sources with a `.pyi` file beside them.
    """

    root: Path
    files: tuple[Path, ...]
    sources: tuple[Source, ...]
    given: frozenset[Path]
    problems: tuple[Problem, ...]
    entry_points: frozenset[str]
    stubbed: frozenset[Path]


def open_workspace(paths: Iterable[Path], settings: Settings, overlay: Mapping[Path, bytes] | None = None) -> Workspace:
    """Find and read the files for `paths`.

    `overlay` holds the contents of files that are not to be read from the disk (standard input). What cannot be
    read is a problem, and stops nobody else.
    """
    overlay = overlay or {}
    paths = [path.absolute() for path in paths]
    root = project_root(paths)
    options = {
        "root": root,
        "exclude": settings.exclude,
        "extend_exclude": settings.extend_exclude,
        "respect_gitignore": settings.respect_gitignore,
        "force_exclude": settings.force_exclude,
    }
    problems: list[Problem] = []
    given: list[Path] = []
    for found in walk([path for path in paths if path not in overlay], **options):  # type: ignore[arg-type]
        problems.append(found) if isinstance(found, Problem) else given.append(found)
    given.extend(overlay)
    # Paths that share no folder are no project: nobody wants the whole disk to be read.
    whole = [] if root == root.parent else [root]
    around = [found for found in walk(whole, **options) if isinstance(found, Path)]  # type: ignore[arg-type]
    files = sorted({*given, *around})
    contents: dict[Path, bytes] = dict(overlay)
    for path in files:
        if path in contents:
            continue
        try:
            contents[path] = path.read_bytes()
        except OSError as error:
            if path in set(given):
                problems.append(Problem(path, f"cannot be read: {error.strerror or error}", "DBA900"))
    sources: list[Source] = []
    for path in sorted(participants(contents, root, frozenset(given))):
        try:
            sources.append(from_bytes(path, contents[path]))
        except SourceError as error:
            if path in set(given):
                problems.append(Problem(path, error.message, "DBA900", error.line, error.column))
    stubbed = frozenset(source.path for source in sources if source.path.with_suffix(".pyi").exists())
    named = _entry_points(
        {folder for source in sources for folder in source.path.parents if root in (folder, *folder.parents)}
    )
    return Workspace(root, tuple(files), tuple(sources), frozenset(given), tuple(problems), named, stubbed)


def _entry_points(folders: Iterable[Path]) -> frozenset[str]:
    """The names of functions in `package.module:function`, as packaging and process files of these folders say it."""
    found: set[str] = set()
    for folder in folders:
        for name in _NAMING_FILES:
            with suppress(OSError):  # most folders have none
                text = (folder / name).read_text(encoding="utf-8", errors="replace")
                found.update(re.findall(r"[\w.]+:(\w+)", text))
    return frozenset(found)


def participants(contents: Mapping[Path, bytes], root: Path, given: frozenset[Path]) -> set[Path]:
    """The files that take part in a run over the files `given`. Nothing is parsed."""
    library = _library(contents)
    contents = {path: data for path, data in contents.items() if library.isdisjoint(path.parents)}
    given &= contents.keys()
    named = {path for path, data in contents.items() if mentions_dbos(data) and _imports_dbos(data)}
    if not named:
        return named
    modules = ModuleMap(sorted(contents), root)
    imported = {path: _imported(modules, path, data) for path, data in contents.items()}
    importers: dict[Path, set[Path]] = {}
    for path, targets in imported.items():
        for target in targets:
            importers.setdefault(target, set()).add(path)
    found = _reached(named, importers)
    beside = {path: (imported[path] | importers.get(path, set())) & found for path in found}
    return _reached(found & given, beside)


def _library(files: Iterable[Path]) -> set[Path]:
    """The folders that hold dbos itself (its own repository, a copy). What it does is in the catalogue; those who call
    it are not the project's alone."""
    held: dict[Path, set[str]] = {}
    for path in files:
        if path.parent.name == "dbos":
            held.setdefault(path.parent, set()).add(path.name)
    return {folder for folder, names in held.items() if names >= _LIBRARY}


def _imports_dbos(data: bytes) -> bool:
    """Whether a file imports dbos; to name it in comments and strings is not enough.

    Nothing is parsed: what looks like an import of dbos in a string counts as well.
    """
    return any(not found.level and found.module.partition(".")[0] == "dbos" for found in imports(data))


def _reached(start: Iterable[Path], edges: Mapping[Path, Iterable[Path]]) -> set[Path]:
    found = set(start)
    pending = list(found)
    while pending:
        for path in edges.get(pending.pop(), ()):
            if path not in found:
                found.add(path)
                pending.append(path)
    return found


def _imported(modules: ModuleMap, path: Path, data: bytes) -> set[Path]:
    """The files of the project that a file seems to import, packages on the way included."""
    number = modules.number(path)
    assert number is not None
    found: set[int] = set()
    for imported in imports(data):
        parts = imported.module.split(".") if imported.module else []
        if not all(parts) or not (parts or imported.level):
            continue
        for end in range(0 if imported.level else 1, len(parts) + 1):
            target = modules.resolve(number, ".".join(parts[:end]), imported.level)
            if target is None:
                break
            found.add(target)
            if end == len(parts):
                children = (modules.child(target, name) for name in imported.names)
                found.update(child for child in children if child is not None)
    return {modules.paths[target] for target in found if modules.is_file(target)}
