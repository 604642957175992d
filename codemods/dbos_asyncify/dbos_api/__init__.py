"""The catalogue of the DBOS API: each public name, its async form, and the dbos versions that have it.

The data in `catalogue.json` is generated from the released packages by `scripts/generate_catalogue.py`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

__all__ = [
    "AsyncForm",
    "Catalogue",
    "FormKind",
    "Member",
    "OnLoop",
    "Returns",
    "load",
    "newest",
    "oldest",
    "versions",
]


class OnLoop(str, Enum):
    """What a synchronous form does when an event loop runs in its thread.

    BLOCKS stands for everything that dbos does not guard: also for what does no input or output at all, and
    for what raises on some paths only (`Debouncer.debounce` with a named queue). A generator that RAISES does
    so when it is first asked for a value. A handle of the protocol type RAISES if one of its classes does.
    """

    RAISES = "raises"
    WARNS = "warns"
    BLOCKS = "blocks"


class FormKind(str, Enum):
    """What a call of an async form gives: COROUTINE and AWAITABLE (a plain function that returns a
    coroutine) are awaited, ASYNC_GENERATOR is iterated with `async for`, FUNCTION is used as it is."""

    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async_generator"
    AWAITABLE = "awaitable"
    FUNCTION = "function"


_Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Returns:
    """A public dbos class in a return annotation; `container` is "", "optional" or "list"."""

    cls: str
    container: str


@dataclass(frozen=True, slots=True)
class AsyncForm:
    """The async twin of a member. `owner` is another class for the datasources only.

    `different_parameters` are the names of the parameters that one of the two forms lacks or takes in
    another way (kind, place, default).
    """

    name: str
    kind: FormKind
    owner: str
    different_parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A method or property of a public class in one dbos version.

    `kind` is "method", "property", "classproperty", "generator" or "decorator". `is_async` is true where
    the name itself is an async form: a coroutine function, an async generator function, or a plain
    function that returns a coroutine; `on_loop` then says nothing. `async_form` is None for these, and
    where the version has no async form. `is_async_generator` implies `is_async`.
    """

    owner: str
    name: str
    kind: str
    is_async: bool
    is_async_generator: bool
    on_loop: OnLoop
    returns: Returns | None
    async_form: AsyncForm | None


class Catalogue:
    """The API of one dbos release: made by `load`."""

    def __init__(self, release: str) -> None:
        data = _data()
        self.version = _numbers(release)
        self._names = {row["name"]: row for row in data.names if data.covers(row, release)}
        rows = (row for row in data.members if data.covers(row, release))
        self._rows = {(row["owner"], row["name"]): row for row in rows}

    def member(self, owner: str, name: str) -> Member | None:
        """The member `name` of the class `owner`; None if no known release has it.

        Code may be written for another release than this one. A member that only others have is given
        as the first later release that has it knows it, else as the last earlier one does.
        """
        row = self._rows.get((owner, name))
        if row is not None:
            return self._member(row)
        spans = _data().spans.get((owner, name), ())
        later = (span["since"] for span in spans if _numbers(span["since"]) > self.version)
        release = next(later, None) or (spans[-1]["until"] if spans else None)
        return load(release).member(owner, name) if release else None

    def has(self, owner: str, name: str) -> bool:
        """Whether this very release has the member `name` of the class `owner`."""
        return (owner, name) in self._rows

    def members(self) -> Iterator[Member]:
        """The members that this very release has, sorted by class and name."""
        return map(self._member, self._rows.values())

    def classes(self) -> frozenset[str]:
        """The classes that this release exports from `dbos`, and its handle classes."""
        return frozenset(name for name, row in self._names.items() if row["kind"] == "class")

    def exports(self) -> Mapping[str, str]:
        """What `dbos` exports in this release: name -> "class", "function", "module" or "value"."""
        return {name: row["kind"] for name, row in self._names.items() if row["exported"]}

    def _member(self, row: _Row) -> Member:
        returns = row.get("returns")
        return Member(
            owner=row["owner"],
            name=row["name"],
            kind=row["kind"],
            is_async="async" in row,
            is_async_generator=row.get("async") == FormKind.ASYNC_GENERATOR.value,
            on_loop=OnLoop(row.get("on_loop", OnLoop.BLOCKS.value)),
            returns=Returns(returns, row.get("container", "")) if returns else None,
            async_form=self._async_form(row) if "async_form" in row else None,
        )

    def _async_form(self, row: _Row) -> AsyncForm:
        name: str = row["async_form"]
        owner: str = row["async_owner"] if "async_owner" in row else row["owner"]
        return AsyncForm(
            name=name,
            kind=FormKind(self._rows[owner, name].get("async", FormKind.FUNCTION.value)),
            owner=owner,
            different_parameters=tuple(row.get("different_parameters", ())),
        )


def load(version: str | None = None) -> Catalogue:
    """The catalogue of dbos `version`, of the newest known release if None.

    A version that is not known stands for the nearest release below it, one that is too old for the
    oldest release, a pre-release for its final one. Raises ValueError for what is no version.
    """
    if version is None:
        return _load(newest())
    known = _data().versions
    index = bisect_right([_numbers(release) for release in known], _numbers(version))
    return _load(known[max(index - 1, 0)])


def newest() -> str:
    """The newest release that the catalogue knows."""
    return _data().versions[-1]


def oldest() -> str:
    """The oldest release that the catalogue knows."""
    return _data().versions[0]


def versions() -> tuple[str, ...]:
    """The releases that the catalogue knows, oldest first."""
    return _data().versions


class _Data:
    """The committed file: rows that hold for a range of releases each."""

    def __init__(self) -> None:
        text = files(__name__).joinpath("catalogue.json").read_text("utf-8")
        content: dict[str, Any] = json.loads(text)
        self.versions: tuple[str, ...] = tuple(content["versions"])
        self.names: list[_Row] = content["names"]
        self.members: list[_Row] = content["members"]
        self.spans: dict[tuple[str, str], list[_Row]] = {}
        for row in self.members:
            self.spans.setdefault((row["owner"], row["name"]), []).append(row)
        self._order = {version: index for index, version in enumerate(self.versions)}

    def covers(self, row: _Row, release: str) -> bool:
        until = row["until"] or self.versions[-1]
        return self._order[row["since"]] <= self._order[release] <= self._order[until]


@cache
def _data() -> _Data:
    return _Data()


@cache
def _load(release: str) -> Catalogue:
    return Catalogue(release)


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers of a version, three at least: "2.9" and "2.9.0rc1" are (2, 9, 0)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    if match is None:
        raise ValueError(f"not a version: {version!r}")
    numbers = [int(part) for part in match[1].split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))
