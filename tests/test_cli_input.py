"""Standard input, and files of every odd kind, through the command."""

from __future__ import annotations

import codecs
import os
import sys
from pathlib import Path

import pytest

from command import RIGHT, SAID, WRONG, contents, make, run, spawn

Bytes = dict[str, bytes]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(project: Path) -> Bytes:
    return {name: data for name, data in contents(project).items() if name != "pyproject.toml"}


def link(path: Path, target: Path | str, *, folder: bool = False) -> None:
    try:
        path.symlink_to(target, target_is_directory=folder)
    except OSError:
        pytest.skip("no symbolic links here")


class TestStandardInput:
    def test_fix_prints_the_result(self, project: Path) -> None:
        result = run("fix", "-", stdin=WRONG.encode())
        assert result.stdout_bytes == RIGHT.encode()
        assert result.exit_code == 0
        assert "1 finding, 1 fixed in 1 file" in result.stderr
        assert files(project) == {}

    @pytest.mark.parametrize(
        "data",
        [
            codecs.BOM_UTF8 + WRONG.replace("\n", "\r\n").encode(),
            b"# coding: latin-1\n# caf\xe9\n" + WRONG[:-1].encode(),
            WRONG.replace("str:", "str:\n    # \N{SNOWMAN} \N{PILE OF POO}").encode(),
        ],
        ids=["CRLF and BOM", "latin-1", "wide characters"],
    )
    def test_bytes_come_back_as_they_are(self, project: Path, data: bytes) -> None:
        """In a process of its own whose streams speak ASCII: nothing is decoded on the way."""
        result = spawn("fix", "-", folder=project, stdin=data, PYTHONIOENCODING="ascii")
        assert result.stdout == data.replace(b"DBOS.sleep(", b"await DBOS.sleep_async(")
        assert result.returncode == 0

    @pytest.mark.parametrize("data", [b"", b"x = 1\n", RIGHT.encode(), b"x = 1"])
    def test_nothing_to_fix(self, data: bytes) -> None:
        result = run("fix", "-", stdin=data)
        assert result.stdout_bytes == data
        assert result.exit_code == 0

    @pytest.mark.parametrize(
        "data", [b"import dbos\ndef (:\n", b"import dbos\n\xff\n", b"import dbos\n\0", b"# coding: nope\nimport dbos\n"]
    )
    def test_what_cannot_be_read_comes_back_unchanged(self, data: bytes) -> None:
        result = run("fix", "-", "--stdin-filename", "app.py", stdin=data)
        assert result.stdout_bytes == data
        assert result.exit_code == 2
        assert "app.py:" in result.stderr
        assert "DBA900" in result.stderr

    def test_check(self) -> None:
        result = run("check", "-", stdin=WRONG.encode())
        assert result.stdout == f"stdin.py:6:5: {SAID}\n"
        assert result.exit_code == 1
        result = run("check", "-", "--stdin-filename", Path("sub") / "app.py", stdin=WRONG.encode())
        assert result.stdout == f"{Path('sub') / 'app.py'}:6:5: {SAID}\n"

    def test_diff(self) -> None:
        result = run("diff", "-", "--stdin-filename", "sub/app.py", stdin=WRONG.encode())
        assert result.stdout.startswith("--- a/sub/app.py\n+++ b/sub/app.py\n@@ ")
        assert result.exit_code == 1
        assert run("diff", "-", stdin=WRONG.encode()).stdout.startswith("--- a/stdin.py\n")

    @pytest.mark.parametrize("name", ["app/routes.py", "app/../app/routes.py", "./app/routes.py"])
    def test_it_stands_for_the_file_of_that_name(self, project: Path, name: str) -> None:
        """Its neighbours are read, the file itself is neither read nor written."""
        make(project, {"app/__init__.py": "", "app/db.py": DB, "app/routes.py": "import dbos\nold = (\n"})
        before = files(project)
        result = run("fix", "-", "--stdin-filename", name, stdin=ROUTES.encode())
        assert result.stdout == ROUTES_AFTER
        assert result.exit_code == 0
        assert files(project) == before

    def test_it_is_found_by_its_neighbours(self, project: Path) -> None:
        """The file from standard input is what the others import, whether it is on the disk or not."""
        make(project, {"app.py": "from db import load\n"})
        result = run("check", "-", "--stdin-filename", "db.py", stdin=(DB + AWAITING).encode())
        assert "db.py:" in result.stdout
        assert "DBA104" in result.stdout

    def test_it_goes_alone(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        result = run("fix", "-", "app.py", stdin=b"")
        assert result.exit_code == 2
        assert "standard input" in result.stderr
        assert (project / "app.py").read_text() == WRONG

    def test_into_a_file(self, project: Path) -> None:
        data = WRONG.replace("\n", "\r\n").encode()
        result = run("fix", "-", "-o", "out.py", stdin=data)
        assert result.stdout_bytes == b""
        assert (project / "out.py").read_bytes() == RIGHT.replace("\n", "\r\n").encode()


DB = """\
from dbos import DBOS


@DBOS.step()
def load(key: str) -> str:
    return key
"""
AWAITING = """

async def one() -> str:
    return load("one")
"""
ROUTES = """\
from app.db import load


async def page(key: str) -> str:
    return load(key)
"""
ROUTES_AFTER = """\
import asyncio

from app.db import load


async def page(key: str) -> str:
    return await asyncio.to_thread(load, key)
"""

FAITHFUL = {
    "plain": WRONG.encode(),
    "crlf": WRONG.replace("\n", "\r\n").encode(),
    "mixed line ends": WRONG.replace("\n", "\r\n", 3).encode(),
    "bom": codecs.BOM_UTF8 + WRONG.encode(),
    "bom and crlf": codecs.BOM_UTF8 + WRONG.replace("\n", "\r\n").encode(),
    "latin-1": b"# -*- coding: latin-1 -*-\nname = '\xe9\xff'\n" + WRONG.encode(),
    "cp1252": b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nprice = '\x80'\n" + WRONG.encode(),
    "no final newline": WRONG.rstrip("\n").encode(),
    "ends in the call": WRONG.replace("    return name\n", "").rstrip("\n").encode(),
    "ends in blanks": WRONG.encode() + b"\n    \n\n",
    "tabs": WRONG.replace("    ", "\t").encode(),
    "form feeds": WRONG.replace("\n\n\n", "\n\f\n\f\n").encode(),
    "line separators": WRONG.replace("    return", "    text = '\u2028 \x85 \x1c'\n    return").encode(),
    "wide characters": WRONG.replace("DBOS.sleep(1)", "text = '\U0001f600'; DBOS.sleep(1)  # \xe9\xe9").encode(),
}


class TestFiles:
    @pytest.mark.parametrize("data", FAITHFUL.values(), ids=FAITHFUL)
    def test_every_other_byte_is_kept(self, project: Path, data: bytes) -> None:
        make(project, {"app.py": data})
        assert run("fix").exit_code == 0
        assert (project / "app.py").read_bytes() == data.replace(b"DBOS.sleep(", b"await DBOS.sleep_async(")
        stamp = (project / "app.py").stat().st_mtime_ns
        result = run("fix")
        assert result.exit_code == 0
        assert (project / "app.py").stat().st_mtime_ns == stamp
        assert run("check").stdout == ""

    def test_line_ends_of_old_macs_lose_nothing(self, project: Path) -> None:
        """LibCST drops the last one; the file is then left alone and said to be."""
        before, after = (text.replace("\n", "\r").encode() for text in (WRONG, RIGHT))
        make(project, {"app.py": before})
        result = run("fix")
        assert (result.exit_code, files(project)["app.py"]) in [(0, after), (2, before)]

    @pytest.mark.parametrize(
        ("data", "place", "message"),
        [
            (b"import dbos\n\n\ndef f(:\n    pass\n", "4:7", "invalid syntax"),
            (b"import dbos\nx = '\xe9'\n", "2", "byte 0xe9 is not valid utf-8"),
            (b"import dbos\n\nx = 1\0\n", "3", "NUL bytes"),
            (b"# coding: klingon\nimport dbos\n", "1", "unknown encoding"),
            (b"import dbos\nif x:\n\ty = 1\n        z = 2\n", "4", "inconsistent use of tabs"),
            (b"import dbos\nx = '''\n", "2", "unterminated triple-quoted string"),
            (b"import dbos\nx = " + b"(" * 5000 + b")" * 5000, "", ""),
        ],
        ids=["syntax", "encoding", "NUL", "cookie", "tabs", "string", "nesting"],
    )
    def test_one_bad_file_stops_nobody_else(self, project: Path, data: bytes, place: str, message: str) -> None:
        make(project, {"a.py": WRONG, "bad.py": data, "c.py": WRONG})
        result = run("fix")
        assert result.exit_code == 2
        assert f"bad.py:{place}" in result.stderr
        assert "DBA900 " in result.stderr
        assert message in result.stderr
        assert files(project) == {"a.py": RIGHT.encode(), "bad.py": data, "c.py": RIGHT.encode()}

    @pytest.mark.parametrize("data", [b"def f(:\n", b"x = '\xe9'\n", b"\0"])
    def test_files_without_dbos_may_be_as_they_like(self, project: Path, data: bytes) -> None:
        make(project, {"a.py": WRONG, "bad.py": data})
        assert run("fix").exit_code == 0
        assert files(project) == {"a.py": RIGHT.encode(), "bad.py": data}

    @pytest.mark.parametrize(
        ("since", "line"),
        [
            ((3, 11), "try:\n    pass\nexcept* OSError:\n    pass"),
            ((3, 12), "type Name = str"),
            ((3, 12), "def first[T](of: list[T]) -> T: ..."),
            ((3, 12), "text = f'{'a'}'"),
            ((3, 13), "class Box[T = int]: ..."),
            ((3, 14), "try:\n    pass\nexcept OSError, ValueError:\n    pass"),
            ((3, 14), "text = t'{1}'"),
        ],
        ids=lambda value: value.split("\n")[-2 if "\n" in value else 0] if isinstance(value, str) else "",
    )
    def test_newer_syntax_is_read_or_told(self, project: Path, since: tuple[int, int], line: str) -> None:
        new = WRONG + "\n\n" + line + "\n"
        make(project, {"new.py": new, "old.py": WRONG})
        result = run("fix")
        assert files(project)["old.py"] == RIGHT.encode()
        if sys.version_info >= since:
            assert (project / "new.py").read_text() == RIGHT + "\n\n" + line + "\n"
            assert result.exit_code == 0
        else:
            assert (project / "new.py").read_text() == new
            assert result.exit_code == 2
            assert "new.py:" in result.stderr
            assert f"uvx --python {since[0]}.{since[1]} dbos-asyncify" in result.stderr

    def test_what_is_not_there(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        result = run("fix", "gone.py", "app.py", Path("no") / "where")
        assert result.exit_code == 2
        assert "gone.py: no such file or directory" in result.stderr
        assert f"{Path('no') / 'where'}: no such file or directory" in result.stderr
        assert (project / "app.py").read_text() == RIGHT

    def test_a_folder_called_like_a_file(self, project: Path) -> None:
        make(project, {"x.py/app.py": WRONG, "app.py": "import x\n"})
        assert run("fix").exit_code == 0
        assert files(project) == {"x.py/app.py": RIGHT.encode(), "app.py": b"import x\n"}

    def test_a_loop_of_links(self, project: Path) -> None:
        make(project, {"sub/app.py": WRONG})
        link(project / "sub" / "loop", project, folder=True)
        link(project / "self.py", "self.py")
        result = run("fix")
        assert result.exit_code == 0
        assert "1 file, 1 with DBOS" in result.stderr
        assert (project / "sub" / "app.py").read_text() == RIGHT

    def test_a_link_is_written_through(self, project: Path) -> None:
        make(project, {"real/app.txt": WRONG})
        link(project / "app.py", Path("real") / "app.txt")
        assert run("fix").exit_code == 0
        assert (project / "app.py").is_symlink()
        assert (project / "real" / "app.txt").read_text() == RIGHT

    def test_a_link_and_its_target_are_one_file(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        link(project / "again.py", "app.py")
        result = run("fix", "again.py")
        assert result.exit_code == 0
        assert (project / "app.py").read_text() == RIGHT
        assert run("check").exit_code == 0

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
    @pytest.mark.parametrize("mode", [0o755, 0o600, 0o664])
    def test_the_mode_is_kept(self, project: Path, mode: int) -> None:
        make(project, {"app.py": WRONG})
        (project / "app.py").chmod(mode)
        assert run("fix").exit_code == 0
        assert (project / "app.py").read_text() == RIGHT
        assert (project / "app.py").stat().st_mode & 0o777 == mode

    def test_a_read_only_file(self, project: Path) -> None:
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            pytest.skip("nothing is read-only for root")
        make(project, {"a.py": WRONG, "b.py": WRONG})
        (project / "a.py").chmod(0o444)
        try:
            result = run("fix")
        finally:
            (project / "a.py").chmod(0o644)
        assert result.exit_code == 2
        assert "a.py: is read-only" in result.stderr
        assert files(project) == {"a.py": WRONG.encode(), "b.py": RIGHT.encode()}

    def test_an_unreadable_file(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(project, {"a.py": WRONG, "b.py": WRONG})
        read_bytes = Path.read_bytes

        def refusing(path: Path) -> bytes:
            if path.name == "a.py":
                raise PermissionError(13, "Permission denied")
            return read_bytes(path)

        monkeypatch.setattr(Path, "read_bytes", refusing)
        result = run("fix")
        monkeypatch.undo()
        assert result.exit_code == 2
        assert "a.py: DBA900 cannot be read: Permission denied" in result.stderr
        assert (project / "a.py").read_text() == WRONG
        assert (project / "b.py").read_text() == RIGHT

    def test_generated_files_are_left_alone(self, project: Path) -> None:
        text = "# Generated by protoc. DO NOT EDIT!\n" + WRONG
        make(project, {"app.py": text})
        assert run("fix").exit_code == 0
        assert (project / "app.py").read_text() == text


class TestWhichFiles:
    def test_what_git_ignores_and_virtual_environments_are_left_out(self, project: Path) -> None:
        left_out = ["out/app.py", "env/lib/app.py", ".venv/app.py", "node_modules/app.py", "local.py"]
        make(project, {".gitignore": "/out/\nlocal.py\n", "env/pyvenv.cfg": "", "app.py": WRONG})
        make(project, dict.fromkeys(left_out, WRONG))
        assert run("fix").exit_code == 0
        assert {name for name, data in files(project).items() if data == RIGHT.encode()} == {"app.py"}
        assert run("check", "--no-respect-gitignore").stdout.count("DBA101") == 2

    def test_a_file_that_is_named_is_taken_though_it_is_ignored(self, project: Path) -> None:
        make(project, {".gitignore": "local.py\n", "local.py": WRONG, "build/app.py": WRONG})
        assert run("fix", "local.py", "build/app.py").exit_code == 0
        assert files(project)["local.py"] == files(project)["build/app.py"] == RIGHT.encode()

    def test_force_exclude(self, project: Path) -> None:
        make(project, {"build/app.py": WRONG, "app.py": WRONG})
        assert run("fix", "--force-exclude", "build/app.py", "app.py").exit_code == 0
        assert files(project) == {"app.py": RIGHT.encode(), "build/app.py": WRONG.encode()}

    def test_exclude(self, project: Path) -> None:
        make(project, {"a/app.py": WRONG, "b/app.py": WRONG, "c/app.py": WRONG, "build/app.py": WRONG})
        assert run("check", "--extend-exclude", "a,b/*.py").stdout.split(":")[0] == str(Path("c") / "app.py")
        names = [line.split(":")[0] for line in run("check", "--exclude", "a", "--exclude", "b").stdout.splitlines()]
        assert names == [str(Path("build") / "app.py"), str(Path("c") / "app.py")]

    def test_a_file_of_any_name(self, project: Path) -> None:
        make(project, {"run": "#!/usr/bin/env python\n" + WRONG})
        assert run("fix", "run").exit_code == 0
        assert (project / "run").read_text() == "#!/usr/bin/env python\n" + RIGHT
