"""The changes as a patch that `git apply` takes: bytes, since the files need not be in one encoding."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbos_asyncify.findings import Change

NO_NEWLINE = b"\\ No newline at end of file\n"


def patch(changes: Iterable[Change], base: Path) -> bytes:
    """A unified diff of all changes, with paths relative to `base`."""
    return b"".join(line for change in changes for line in unified(change, base))


def unified(change: Change, base: Path) -> Iterator[bytes]:
    """The lines of one file's unified diff."""
    name = os.fsencode(Path(shown(change.path, base)).as_posix())
    lines = difflib.diff_bytes(
        difflib.unified_diff,
        split(change.before),
        split(change.after),
        _header(b"a/" + name),
        _header(b"b/" + name),
        lineterm=b"\n",
    )
    for line in lines:
        yield line
        if not line.endswith(b"\n"):
            yield b"\n" + NO_NEWLINE


def _header(name: bytes) -> bytes:
    """A name as git reads it: quoted where it holds what would end it, closed by a tab where it holds spaces."""
    if re.search(rb'["\\\x00-\x1f\x7f]', name):
        return b'"' + re.sub(rb'["\\\x00-\x1f\x7f]', lambda match: b"\\%03o" % match[0][0], name) + b'"'
    return name + b"\t" if b" " in name else name


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
