"""Rows of many releases as one table of version ranges, and its text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from catalogue.describe import Release, Row


def merge(releases: Sequence[tuple[str, Mapping[tuple[str, ...], Row]]], keys: Sequence[str]) -> list[Row]:
    """One row for each run of releases (oldest first) in which a thing is the same, sorted.

    `keys` name the parts of what identifies a thing. A range has `since` and, if it ended, `until`.
    """
    merged: dict[tuple[str, ...], list[Row]] = {}
    before: Mapping[tuple[str, ...], Row] = {}
    for index, (version, rows) in enumerate(releases):
        for identity, row in rows.items():
            if before.get(identity) != row:
                named = dict(zip(keys, identity, strict=True))
                merged.setdefault(identity, []).append({**named, "since": version, "until": None, **row})
        for identity, row in before.items():
            if rows.get(identity) != row:
                ended = next(span for span in reversed(merged[identity]) if span["since"] != version)
                ended["until"] = releases[index - 1][0]
        before = rows
    return [span for identity in sorted(merged) for span in merged[identity]]


def render(versions: Sequence[str], names: Sequence[Row], members: Sequence[Row]) -> str:
    """The catalogue as JSON, a row a line, so that a new release shows as the lines that it changes."""
    parts = [f'"versions": {_lines(versions)}', f'"names": {_lines(names)}', f'"members": {_lines(members)}']
    return "{\n" + ",\n".join(parts) + "\n}\n"


def table(releases: Sequence[tuple[str, Release]]) -> str:
    """The text of the catalogue of `releases`, which stand oldest first."""
    return render(
        [version for version, _ in releases],
        merge([(version, release.names) for version, release in releases], ["name"]),
        merge([(version, release.members) for version, release in releases], ["owner", "name"]),
    )


def _lines(rows: Sequence[object]) -> str:
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"
