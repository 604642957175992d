"""Writing: a file is replaced whole or left as it was; of several files all are written or none."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dbos_asyncify.findings import Change


class ApplyError(Exception):
    """A file that was not written, and is as it was."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


def write_all(changes: Sequence[Change]) -> None:
    """Write all changes; where one fails, those before it are taken back.

    Raises ApplyError for the one that failed.
    """
    done: list[Change] = []
    for change in changes:
        try:
            write(change.path, change.before, change.after)
        except BaseException:  # an interruption too must not leave half of a fix
            for written in reversed(done):
                with suppress(ApplyError):
                    write(written.path, written.after, written.before)
            raise
        done.append(change)


def ready(path: Path, before: bytes) -> None:
    """Raise ApplyError where the file at `path` does not hold `before` any more, or cannot be written."""
    target = Path(os.path.realpath(path))
    try:
        if target.read_bytes() != before:
            raise ApplyError(path, "changed since it was read")
    except OSError as error:
        raise ApplyError(path, f"cannot be written: {error.strerror or error}") from error
    if not os.access(target, os.W_OK):
        raise ApplyError(path, "is read-only")
    if not os.access(target.parent, os.W_OK):
        raise ApplyError(path, "its folder is read-only")


def write(path: Path, before: bytes, after: bytes) -> None:
    """Replace the contents `before` of the file at `path` by `after`, atomically, with mode and owner kept.

    Of a symbolic link the target is written.

    Raises ApplyError, with the file untouched, where it no longer holds `before` or cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    ready(path, before)
    try:
        status = target.stat()
        # In the same folder, so that the replacement is one step and not a copy between file systems.
        descriptor, name = tempfile.mkstemp(prefix=".dbos-asyncify-", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            _keep_owner_and_mode(temporary, status)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise ApplyError(path, f"cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _keep_owner_and_mode(temporary: Path, status: os.stat_result) -> None:
    # The owner first: to change it clears the set-user-id bits of the mode.
    if hasattr(os, "chown"):
        with suppress(OSError):
            os.chown(temporary, status.st_uid, status.st_gid)
    temporary.chmod(stat.S_IMODE(status.st_mode))
