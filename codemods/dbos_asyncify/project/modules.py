"""Which file an import means, as Python would resolve it from where it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_NOT_OURS = sys.stdlib_module_names | {"dbos"}


class ModuleMap:
    """The modules and packages below a project's root, by number.

    Files come first, in the order given; folders without `__init__.py` (namespace packages) are numbered as
    they are met.
    """

    def __init__(self, files: Iterable[Path], root: Path) -> None:
        self.root = root
        self.paths: list[Path] = list(files)
        self._numbers = {path: number for number, path in enumerate(self.paths)}
        self._folders: set[Path] = set()
        self._top: dict[str, set[Path]] = {}
        for path in self.paths:
            self._add_folders(path)
        for path in self.paths:
            if path.name == "__init__.py":
                if path.parent.parent / "__init__.py" not in self._numbers:
                    self._top.setdefault(path.parent.name, set()).add(path)
            elif path.parent / "__init__.py" not in self._numbers:
                self._top.setdefault(path.stem, set()).add(path)
        self._files = len(self.paths)
        self._found: dict[tuple[Path, str], int | None] = {}
        self._imported_as: dict[int, set[str]] = {}
        self._relative: set[Path] = set()  # folders in which imports with dots were met: packages, then

    def _add_folders(self, path: Path) -> None:
        for folder in path.parents:
            if folder in self._folders:
                return
            self._folders.add(folder)
            if folder == self.root:
                return

    def number(self, path: Path) -> int | None:
        """The number of a file, if it is one of the project's."""
        return self._numbers.get(path)

    def is_file(self, number: int) -> bool:
        return number < self._files  # the rest are namespace packages

    def resolve(self, importer: int, module: str, level: int) -> int | None:
        """The module that `from {level dots}{module} import …` in `importer` reads; None if it is not the project's."""
        parts = module.split(".") if module else []
        if level:
            folder = self.paths[importer].parent
            self._relative.add(folder)
            for _ in range(level - 1):
                folder = folder.parent
            found = self._in_folder(folder)
            name = ""
        else:
            name = parts.pop(0)
            found = self._top_level(importer, name)
        for part in parts:
            if found is None:
                return None
            self._note(found, name)
            found, name = self.child(found, part), name and f"{name}.{part}"
        if found is not None:
            self._note(found, name)
        return found

    def _note(self, number: int, name: str) -> None:
        if name:
            self._imported_as.setdefault(number, set()).add(name)

    def name(self, number: int) -> str:
        """The dotted name of a module: as the files whose imports were resolved so far call it, else by its folders.

        A folder without `__init__.py` is part of the name where an import says that it is a package.
        """
        known = self._imported_as.get(number)
        if known:
            return min(known, key=lambda name: (name.count("."), name))
        path = self.paths[number]
        if path.name == "__init__.py":
            path = path.parent
        package = self._package(path.parent)
        last = path.stem if self.is_file(number) else path.name
        return last if package is None else f"{self.name(package)}.{last}"

    def _package(self, folder: Path) -> int | None:
        """The package that a folder is to those who import what is in it, if it is one."""
        if folder / "__init__.py" in self._numbers:
            return self._numbers[folder / "__init__.py"]
        if folder not in self._folders or folder == self.root:
            return None
        known = self._numbers.get(folder) in self._imported_as or folder in self._relative
        return self._in_folder(folder) if known or self._package(folder.parent) is not None else None

    def child(self, package: int, name: str) -> int | None:
        """A package's submodule."""
        path = self.paths[package]
        if path.name == "__init__.py":
            return self._named(path.parent, name)
        return None if package < self._files else self._named(path, name)

    def _named(self, folder: Path, name: str) -> int | None:
        found = self._file_named(folder, name)
        return self._in_folder(folder / name) if found is None else found

    def _file_named(self, folder: Path, name: str) -> int | None:
        for path in (folder / name / "__init__.py", folder / f"{name}.py"):
            if path in self._numbers:
                return self._numbers[path]
        return None

    def _in_folder(self, folder: Path) -> int | None:
        """The package that a folder is, with or without `__init__.py`."""
        if folder / "__init__.py" in self._numbers:
            return self._numbers[folder / "__init__.py"]
        if folder not in self._folders:
            return None
        if folder not in self._numbers:
            self._numbers[folder] = len(self.paths)
            self.paths.append(folder)
        return self._numbers[folder]

    def _top_level(self, importer: int, name: str) -> int | None:
        if name in _NOT_OURS:
            return None
        start = self.paths[importer].parent
        key = (start, name)
        if key not in self._found:
            self._found[key] = self._search(start, name)
        return self._found[key]

    def _search(self, start: Path, name: str) -> int | None:
        """Look where `sys.path` is likely to point: above the package, `src` folders; else a name that is unique."""
        folder = start
        while folder / "__init__.py" in self._numbers:
            folder = folder.parent
        above = (folder, *folder.parents)
        if self.root in above:
            above = above[: above.index(self.root) + 1]
        places = [place for each in above for place in (each, each / "src")]
        for place in places:  # anywhere on `sys.path` a file wins over a folder without `__init__.py`
            found = self._file_named(place, name)
            if found is not None:
                return found
        namespaces = [found for place in places if (found := self._in_folder(place / name)) is not None]
        candidates = self._top.get(name, set())
        if len(candidates) == 1:
            (candidate,) = candidates
            # The folder of a project is often called as its package is.
            if not namespaces or any(candidate.is_relative_to(self.paths[found]) for found in namespaces):
                return self._numbers[candidate]
        return namespaces[0] if namespaces else None
