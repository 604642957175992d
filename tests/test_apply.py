"""Files are replaced whole or left as they were."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dbos_asyncify.apply import ApplyError, ready, write, write_all
from dbos_asyncify.findings import Change

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and limits")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_bytes(b"before\r\n")
    return path


def test_writes_the_bytes_and_leaves_nothing_else(file: Path) -> None:
    write(file, b"before\r\n", b"after\r\n\xff")
    assert file.read_bytes() == b"after\r\n\xff"
    assert list(file.parent.iterdir()) == [file]


def test_the_file_is_replaced_not_rewritten(file: Path) -> None:
    """Whoever has the file open goes on reading the old contents, never half of the new ones."""
    if sys.platform == "win32":
        inode = file.stat().st_ino
        write(file, b"before\r\n", b"after")
        assert file.stat().st_ino != inode
        return
    with file.open("rb") as reader:
        write(file, b"before\r\n", b"after")
        assert reader.read() == b"before\r\n"
    assert file.read_bytes() == b"after"


@posix_only
@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o664, 0o4755])
def test_mode_is_kept(file: Path, mode: int) -> None:
    file.chmod(mode)
    write(file, b"before\r\n", b"after")
    assert file.stat().st_mode & 0o7777 == mode


@posix_only
def test_owner_is_kept(file: Path) -> None:
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    write(file, b"before\r\n", b"after")
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_a_link_stays_and_its_target_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    link = tmp_path / "sub" / "link.py"
    try:
        link.symlink_to(Path("..") / "app.py")
    except OSError:
        pytest.skip("no symbolic links here")
    write(link, b"before\r\n", b"after")
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_bytes() == b"after"


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / ("a" * (200 if sys.platform == "win32" else 252) + ".py")
    path.write_bytes(b"before")
    write(path, b"before", b"after")
    assert path.read_bytes() == b"after"


@pytest.mark.parametrize("now", [b"", b"before\n", b"before\r\nand more"])
def test_a_file_that_changed_since_is_left_alone(file: Path, now: bytes) -> None:
    file.write_bytes(now)
    with pytest.raises(ApplyError, match="changed since it was read") as caught:
        write(file, b"before\r\n", b"after")
    assert caught.value.path == file
    assert file.read_bytes() == now
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_is_gone_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    for name in ("gone.py", "folder.py", "gone/gone.py"):
        with pytest.raises(ApplyError) as caught:
            write(tmp_path / name, b"", b"after")
        assert str(caught.value).startswith(f"{tmp_path / name}: cannot be written: ")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.py"]


@posix_only
def test_read_only_files_and_folders(file: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is read-only for root")
    file.chmod(0o444)
    with pytest.raises(ApplyError, match="is read-only"):
        write(file, b"before\r\n", b"after")
    file.chmod(0o644)
    file.parent.chmod(0o555)
    try:
        with pytest.raises(ApplyError, match="cannot be written"):
            write(file, b"before\r\n", b"after")
    finally:
        file.parent.chmod(0o755)
    assert file.read_bytes() == b"before\r\n"


@posix_only
def test_no_room_leaves_the_file_and_no_litter(file: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ApplyError, match="cannot be written"):
            write(file, b"before\r\n", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == b"before\r\n"
    assert list(file.parent.iterdir()) == [file]


class TestAll:
    def changes(self, tmp_path: Path) -> list[Change]:
        paths = [tmp_path / "a.py", tmp_path / "b.py"]
        for path in paths:
            path.write_bytes(b"old")
        return [Change(path, b"old", b"new", "utf-8", ()) for path in paths]

    def test_all_are_written(self, tmp_path: Path) -> None:
        changes = self.changes(tmp_path)
        write_all(changes)
        assert [change.path.read_bytes() for change in changes] == [b"new", b"new"]

    def test_one_that_fails_takes_the_others_back(self, tmp_path: Path) -> None:
        changes = self.changes(tmp_path)
        changes[1].path.write_bytes(b"changed meanwhile")
        with pytest.raises(ApplyError, match="changed since"):
            write_all(changes)
        assert [change.path.read_bytes() for change in changes] == [b"old", b"changed meanwhile"]

    def test_ready_tells_before_anything_is_written(self, tmp_path: Path) -> None:
        change = self.changes(tmp_path)[0]
        ready(change.path, b"old")
        with pytest.raises(ApplyError, match="changed since"):
            ready(change.path, b"other")
        change.path.unlink()
        with pytest.raises(ApplyError, match="cannot be written"):
            ready(change.path, b"old")
