"""The patterns of .gitignore files mean what they mean to git."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from dbos_asyncify.discover import walk
from dbos_asyncify.gitignore import Patterns


@pytest.mark.parametrize(
    ("lines", "path", "is_folder", "verdict"),
    [
        (["*.py"], "a.py", False, True),
        (["*.py"], "x/a.py", False, True),
        (["*.py"], "a.pyc", False, None),
        (["/a.py"], "a.py", False, True),
        (["/a.py"], "x/a.py", False, None),
        (["x/a.py"], "y/x/a.py", False, None),
        (["build/"], "x/build", True, True),
        (["build/"], "build", False, None),
        (["build"], "build/a.py", False, None),
        (["**/gen"], "gen", True, True),
        (["**/gen/*.py"], "a/b/gen/x.py", False, True),
        (["a/**/b"], "a/b", True, True),
        (["a/**/b"], "a/x/y/b", True, True),
        (["a/**"], "a", True, None),
        (["a/**"], "a/b/c.py", False, True),
        (["/**"], "a/b.py", False, True),
        (["a*b"], "a/b", False, None),
        (["a**b"], "axxb", False, True),
        (["a?c"], "abc", False, True),
        (["a?c"], "a/c", False, None),
        (["[ab].py"], "b.py", False, True),
        (["[!ab].py"], "c.py", False, True),
        (["[^ab].py"], "a.py", False, None),
        (["[a-c].py", "[]x].py"], "].py", False, True),
        (["x[!a]y"], "x/y", False, None),
        (["[[:digit:]a].py"], "7.py", False, True),
        (["[a\\]].py"], "].py", False, True),
        (["[a-].py"], "-.py", False, True),
        (["*.py", "!keep.py"], "keep.py", False, False),
        (["!keep.py", "*.py"], "keep.py", False, True),
        (["#a.py"], "#a.py", False, None),
        (["\\#a.py"], "#a.py", False, True),
        (["\\!a.py"], "!a.py", False, True),
        (["a.py  "], "a.py", False, True),
        (["a\\ "], "a ", False, True),
        (["a+b(1).py"], "a+b(1).py", False, True),
        (["", "/", "!", "[ab", "a\\", "[b-a].py", "[[:nonsense:]]"], "a", True, None),
        (["[b-a]", "a.py"], "a.py", False, True),
    ],
)
def test_verdicts(lines: list[str], path: str, is_folder: bool, verdict: bool | None) -> None:
    assert Patterns.parse(lines).verdict(path, is_folder=is_folder) is verdict


PARTS = [
    "a",
    "b",
    "foo",
    "*",
    "**",
    "a*",
    "?",
    "[ab]",
    "*.py",
    "a.py",
    "ab.py",
    "c d",
    "[!a]*",
    "[a-c]",
    "\\a",
]


def random_pattern(choose: random.Random) -> str:
    pattern = "/".join(choose.choice(PARTS) for _ in range(choose.choice([1, 1, 1, 2, 2, 3])))
    start = choose.choice(["", "", "", "/", "!", "!", "!/"])
    return start + pattern + choose.choice(["", "", "", "/", "/", "  ", "\\ ", "\r"])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("git"), reason="git is the judge here")
@pytest.mark.parametrize("seed", range(60))
def test_git_takes_the_same_files(tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    folders = [tmp_path]
    for _ in range(8):
        folders.append(choose.choice(folders) / choose.choice(["a", "b", "ab", "foo", "c d"]))
        folders[-1].mkdir(exist_ok=True)
    for folder in folders:
        for _ in range(3):
            (folder / f"{choose.choice(['a', 'b', 'ab', 'foo', 'c d'])}.py").touch()
    ignore_files = [folder / ".gitignore" for folder in [tmp_path, *choose.sample(folders, 2)]]
    for path in [*ignore_files, tmp_path / ".git" / "info" / "exclude"]:
        path.parent.mkdir(exist_ok=True)
        lines = [random_pattern(choose) + "\n" for _ in range(choose.randint(1, 4))]
        path.write_bytes("".join(lines).encode())
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    expected = {name for name in listed.stdout.decode().split("\0") if name.endswith(".py")}
    found = walk([tmp_path], root=tmp_path, exclude=[".git"])
    assert {path.relative_to(tmp_path).as_posix() for path in found if isinstance(path, Path)} == expected
