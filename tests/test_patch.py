"""The patch: what `git apply` makes of it is what `fix` writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from command import RIGHT, WRONG, contents, make, run
from dbos_asyncify.findings import Change
from dbos_asyncify.report.patch import patch, split

NAMES = ["app.py", "pkg/with space.py", "a b/c d.py", "naïve/日本 語.py", "pkg/'quote.py", "-dash.py", "a.b/c,d=e.py"]
if sys.platform != "win32":
    NAMES += ['pkg/"quote.py', "pkg/back\\slash.py", "pkg/tab\t.py", "pkg/line\nfeed.py", "pkg/trailing .py"]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "-q")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(folder: Path, *args: str, stdin: bytes = b"") -> None:
    options = ["-c", "core.autocrlf=false", "-c", "core.safecrlf=false"]
    subprocess.run(["git", *options, *args], cwd=folder, input=stdin, check=True)


def fixed(data: bytes) -> bytes:
    return data.replace(b"DBOS.sleep(", b"await DBOS.sleep_async(")


@pytest.mark.parametrize("name", NAMES)
def test_names(repo: Path, name: str) -> None:
    make(repo, {name: WRONG})
    git(repo, "apply", stdin=run("diff").stdout_bytes)
    assert contents(repo) == {name: RIGHT.encode()}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_a_name_that_is_not_unicode(repo: Path) -> None:
    path = repo / os.fsdecode(b"caf\xe9.py")
    path.write_text(WRONG)
    git(repo, "apply", stdin=run("diff").stdout_bytes)
    assert path.read_text() == RIGHT


@pytest.mark.parametrize(
    "data",
    [
        WRONG.encode(),
        WRONG.replace("\n", "\r\n").encode(),
        WRONG.replace("\n", "\r\n", 4).encode(),
        b"\xef\xbb\xbf" + WRONG.encode(),
        WRONG[:-1].encode(),
        WRONG.replace("\n    return name\n", "").encode(),
        WRONG.replace("\n    return name\n", "").replace("\n", "\r\n").encode(),
        b"# coding: latin-1\n" + WRONG.replace("name: str", "n\xe4me: str").encode("latin-1"),
        WRONG.replace("return", "x = '\x0c \x1c \u2028 \x85'\n    return").encode(),
    ],
    ids=["LF", "CRLF", "mixed", "BOM", "no end", "ends changed", "ends changed CRLF", "latin-1", "separators"],
)
def test_contents(repo: Path, data: bytes) -> None:
    make(repo, {"app.py": data})
    git(repo, "apply", "--whitespace=nowarn", stdin=run("diff").stdout_bytes)
    assert contents(repo) == {"app.py": fixed(data)}
    assert fixed(data) != data


def test_many_hunks_in_many_files(repo: Path) -> None:
    text = WRONG + "\n\n".join(
        f"\n# {number}\n" + "\n" * (number % 9) + f"async def f{number}() -> None:\n    DBOS.sleep({number})\n"
        for number in range(40)
    )
    make(repo, {f"m{number}.py": text[: -number * 30 or None].rpartition("\n\n")[0] for number in range(5)})
    before = contents(repo)
    git(repo, "apply", stdin=run("diff").stdout_bytes)
    assert contents(repo) == {name: fixed(data) for name, data in before.items()}


def test_from_a_folder_below(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(repo, {"pkg/app.py": WRONG, "other/app.py": WRONG})
    monkeypatch.chdir(repo / "pkg")
    git(repo / "pkg", "apply", stdin=run("diff").stdout_bytes)
    assert contents(repo) == {"other/app.py": WRONG.encode(), "pkg/app.py": RIGHT.encode()}


@pytest.mark.parametrize("paths", [["../other"], [".", "../other"], [".."]])
def test_of_files_beside_it_is_for_the_root(repo: Path, monkeypatch: pytest.MonkeyPatch, paths: list[str]) -> None:
    """Git takes no `..` in a patch."""
    make(repo, {"pkg/app.py": WRONG, "other/app.py": WRONG})
    monkeypatch.chdir(repo / "pkg")
    result = run("diff", *paths)
    assert f"start at {repo}" in result.stderr.replace("\n", "")
    git(repo, "apply", stdin=result.stdout_bytes)
    assert contents(repo)["other/app.py"] == RIGHT.encode()


def test_from_an_output_file(repo: Path) -> None:
    data = WRONG.replace("\n", "\r\n").replace("name", "näme").encode()
    make(repo, {"näme.py": data})
    run("diff", "-o", "out.patch")
    git(repo, "apply", "--whitespace=nowarn", "out.patch")
    assert (repo / "näme.py").read_bytes() == fixed(data)


def test_nothing_to_change_is_an_empty_patch(repo: Path) -> None:
    make(repo, {"app.py": RIGHT})
    assert run("diff").stdout_bytes == b""


def test_lines_are_those_of_git() -> None:
    assert split(b"") == []
    assert split(b"\n") == [b"\n"]
    assert split(b"a\r\nb\rc\x0bd\x0c\n\xff") == [b"a\r\n", b"b\rc\x0bd\x0c\n", b"\xff"]


def test_the_whole_of_a_small_patch(tmp_path: Path) -> None:
    change = Change(tmp_path / "a" / "b.py", b"x\ny", b"x\nz\n", "utf-8", ())
    assert patch([change], tmp_path) == (
        b"--- a/a/b.py\n+++ b/a/b.py\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n"
    )
