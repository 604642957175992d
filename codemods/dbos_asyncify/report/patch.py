"""The changes as a patch that `git apply` takes: bytes, since the files need not be in one encoding."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbos_asyncify.findings import Change

NO_NEWLINE = b"\\ No newline at end of file\n"


def patch(changes: Iterable[Change], base: Path) -> bytes:
    """A unified diff of all changes, with paths relative to `base`."""
    return b"".join(line for change in changes for line in unified(change, base))


def unified(change: Change, base: Path) -> Iterator[bytes]:
    """The lines of one file's unified diff."""
    name = shown(change.path, base).replace("\\", "/").encode()
    tab = b"\t" if b" " in name else b""  # ends a name with spaces
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        split(change.before),
        split(change.after),
        b"a/" + name + tab,
        b"b/" + name + tab,
        lineterm=b"\n",
    )
    for line in lines:
        yield line
        if not line.endswith(b"\n"):
            yield b"\n" + NO_NEWLINE


def split(data: bytes) -> list[bytes]:
    """Lines as git counts them: ended by a line feed."""
    lines = data.split(b"\n")
    ended = [line + b"\n" for line in lines[:-1]]
    return [*ended, lines[-1]] if lines[-1] else ended


def shown(path: Path, base: Path) -> str:
    """A path as the user would write it."""
    try:
        return str(path.relative_to(base))
    except ValueError:
        return str(path)
