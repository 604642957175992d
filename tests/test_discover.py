"""Which files a run looks at, and what their bytes say of dbos and of imports."""

from __future__ import annotations

import ast
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dbos_asyncify.discover import DEFAULT_EXCLUDE, Import, imports, mentions_dbos, project_root, walk
from dbos_asyncify.findings import Problem


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def ignore(folder: Path, text: str, name: str = ".gitignore") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text.encode())


def found(root: Path, *paths: str, **options: Any) -> list[str]:
    """What `walk` yields for `paths` below `root`, relative to it."""
    items = list(walk([root / path for path in paths or ("",)], root=root, **options))
    assert all(isinstance(item, Path) and item.is_absolute() for item in items), items
    return [item.relative_to(root).as_posix() for item in items if isinstance(item, Path)]


def link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("no symbolic links here")


class TestProjectRoot:
    @pytest.mark.parametrize("mark", ["pyproject.toml", "setup.py", "setup.cfg", ".git"])
    def test_the_nearest_marked_folder_above_all_paths(self, tmp_path: Path, mark: str) -> None:
        make(tmp_path, "pyproject.toml", f"app/{mark}", "app/a/x.py", "app/b/c/y.py")
        assert project_root([tmp_path / "app/a/x.py", tmp_path / "app/b/c"]) == tmp_path / "app"
        assert project_root([tmp_path / "app"]) == tmp_path / "app"
        assert project_root([tmp_path / "app/a", tmp_path / "lib"]) == tmp_path

    def test_else_the_common_folder(self, tmp_path: Path) -> None:
        if any((folder / "pyproject.toml").exists() for folder in tmp_path.parents):
            pytest.skip("the temporary folder is in a project")
        make(tmp_path, "a/b/x.py", "a/c/y.py")
        assert project_root([tmp_path / "a/b/x.py", tmp_path / "a/c"]) == tmp_path / "a"
        assert project_root([tmp_path / "a/b/x.py"]) == tmp_path / "a/b"

    def test_relative_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path, "pyproject.toml", "a/b/x.py", "c/y.py")
        monkeypatch.chdir(tmp_path / "a")
        assert project_root([Path("b/x.py"), Path("../c")]) == tmp_path
        assert project_root([]) == tmp_path


class TestWalk:
    def test_python_files_in_order(self, tmp_path: Path) -> None:
        make(tmp_path, "b.py", "a/z.py", "a/b/c.py", "a.py", "x.pyi", "x.txt", "run", "B.py", ".hidden/h.py")
        assert found(tmp_path) == [".hidden/h.py", "B.py", "a/b/c.py", "a/z.py", "a.py", "b.py"]

    def test_named_files_are_always_taken(self, tmp_path: Path) -> None:
        make(tmp_path, "run", "x.pyi", "build/gen.py", "ignored.py")
        (tmp_path / ".git").mkdir()
        ignore(tmp_path, "ignored.py\n")
        names = ["build/gen.py", "ignored.py", "run", "x.pyi"]
        assert found(tmp_path, *names) == names
        assert found(tmp_path, *names, force_exclude=True) == ["ignored.py", "run", "x.pyi"]

    def test_each_file_once(self, tmp_path: Path) -> None:
        make(tmp_path, "a/x.py", "a/y.py")
        assert found(tmp_path, "a/y.py", "a", "a/../a/x.py", "") == ["a/x.py", "a/y.py"]

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        make(tmp_path, "x.py")
        items = list(walk([tmp_path / "gone.py", tmp_path / "x.py"], root=tmp_path))
        assert items == [Problem(tmp_path / "gone.py", "no such file or directory"), tmp_path / "x.py"]

    @pytest.mark.parametrize("name", DEFAULT_EXCLUDE)
    def test_default_excludes(self, tmp_path: Path, name: str) -> None:
        make(tmp_path, f"{name}/x.py", f"app/{name}/sub/x.py", "app/x.py", f"app/{name}x/y.py")
        assert found(tmp_path) == sorted(["app/x.py", f"app/{name}x/y.py"], key=lambda path: path.split("/"))
        assert found(tmp_path, name) == [f"{name}/x.py"]  # named, so meant

    def test_virtual_environments_of_any_name(self, tmp_path: Path) -> None:
        make(tmp_path, "env3/pyvenv.cfg", "env3/lib/x.py", "env3/lib/a/b/y.py", "env/x.py", "x.py")
        ignore(tmp_path, "*.cfg\n")
        assert found(tmp_path) == ["env/x.py", "x.py"]
        assert found(tmp_path, "env3/lib") == ["env3/lib/a/b/y.py", "env3/lib/x.py"]  # named, so meant

    def test_exclude_replaces_and_extend_exclude_adds(self, tmp_path: Path) -> None:
        make(
            tmp_path,
            "build/x.py",
            "gen/x.py",
            "app/gen/x.py",
            "app/migrations/1.py",
            "app/y_pb2.py",
            "app/y.py",
        )
        rest = ["app/gen/x.py", "app/migrations/1.py", "app/y.py", "app/y_pb2.py", "gen/x.py"]
        assert found(tmp_path) == rest
        assert found(tmp_path, exclude=["gen"]) == [
            "app/migrations/1.py",
            "app/y.py",
            "app/y_pb2.py",
            "build/x.py",
        ]
        assert found(tmp_path, extend_exclude=["/gen", "app/migrations/*.py", "*_pb2.py"]) == [
            "app/gen/x.py",
            "app/y.py",
        ]
        assert found(tmp_path, "app/gen/x.py", "app/y.py", extend_exclude=["gen"], force_exclude=True) == ["app/y.py"]

    def test_exclude_takes_back(self, tmp_path: Path) -> None:
        make(tmp_path, "a_pb2.py", "keep_pb2.py", "build/x.py", "gen/keep_pb2.py", "x.py", "local.py")
        ignore(tmp_path, "local.py\n")
        options: dict[str, Any] = {"extend_exclude": ["*_pb2.py", "!keep_pb2.py", "gen/", "!local.py", "!build"]}
        assert found(tmp_path, **options) == ["build/x.py", "keep_pb2.py", "x.py"]
        names = ["a_pb2.py", "build/x.py", "gen/keep_pb2.py", "keep_pb2.py"]
        assert found(tmp_path, *names, force_exclude=True, **options) == ["build/x.py", "keep_pb2.py"]

    def test_patterns_that_say_nothing(self, tmp_path: Path) -> None:
        make(tmp_path, "#x.py", "x.py")
        assert found(tmp_path, extend_exclude=["", "  ", "#x.py", "!", "/"]) == ["#x.py", "x.py"]

    @pytest.mark.parametrize("pattern", ["a[", "![b-a].py", "a\\", "{a", "\udcff"])
    def test_what_is_no_pattern(self, tmp_path: Path, pattern: str) -> None:
        make(tmp_path, "x.py")
        (problem,) = walk([tmp_path, tmp_path / "x.py"], root=tmp_path, extend_exclude=["gen", pattern])
        assert isinstance(problem, Problem)
        assert problem.path == tmp_path
        assert problem.message.startswith("cannot tell what to exclude: ")
        if pattern == "a[":
            assert "'a['" in problem.message

    def test_excludes_do_not_reach_above_the_root(self, tmp_path: Path) -> None:
        make(tmp_path, "build/app/x.py")
        assert found(tmp_path / "build/app", force_exclude=True) == ["x.py"]

    def test_paths_outside_the_root(self, tmp_path: Path) -> None:
        make(tmp_path, "app/x.py", "lib/build/y.py", "lib/z.py")
        ignore(tmp_path / "lib", "z.py\n")
        items = list(walk([tmp_path / "lib", tmp_path / "app"], root=tmp_path / "app"))
        assert items == [tmp_path / "app/x.py", tmp_path / "lib/build/y.py"]

    def test_folders_called_like_files(self, tmp_path: Path) -> None:
        make(tmp_path, "x.py/y.py")
        assert found(tmp_path) == ["x.py/y.py"]

    @pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders")
    def test_pipes_and_sockets_are_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path, "x.py")
        os.mkfifo(tmp_path / "pipe.py")
        monkeypatch.chdir(tmp_path)  # the name of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket.py")
            assert found(tmp_path) == ["x.py"]
        assert list(walk([tmp_path / "pipe.py"], root=tmp_path)) == [Problem(tmp_path / "pipe.py", "is not a file")]

    def test_links(self, tmp_path: Path) -> None:
        make(tmp_path, "app/m.py", "app/sub/n.py", "outside/o.py", "outside/p.py")
        link(tmp_path / "app/a_link.py", tmp_path / "app/m.py")  # known under its own name
        link(tmp_path / "app/b_link.py", tmp_path / "outside/o.py")
        link(tmp_path / "app/c_link.py", tmp_path / "outside/o.py")  # the same again
        link(tmp_path / "app/dead.py", tmp_path / "gone.py")
        link(tmp_path / "app/self.py", tmp_path / "app/self.py")
        link(tmp_path / "app/sub/loop", tmp_path / "app")
        link(tmp_path / "app/folder.py", tmp_path / "outside")
        assert found(tmp_path, "app") == ["app/m.py", "app/sub/n.py", "app/b_link.py"]
        assert found(tmp_path, "app/sub/loop/sub") == ["app/sub/loop/sub/n.py"]
        link(tmp_path / "alias", tmp_path / "outside")
        assert found(tmp_path, "alias") == ["alias/o.py", "alias/p.py"]
        assert found(tmp_path, "alias", "outside") == ["alias/o.py", "alias/p.py"]

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
    def test_unreadable_folders_are_reported(self, tmp_path: Path) -> None:
        make(tmp_path, "a/x.py", "b/y.py")
        if os.geteuid() == 0:
            # Nothing is unreadable for root; a folder that is too deep to be opened is.
            deep = tmp_path / "a"
            previous = Path.cwd()
            os.chdir(deep)
            for _ in range(25):
                os.mkdir("d" * 200)  # noqa: PTH102 - relative: the whole path is too long for one call
                os.chdir("d" * 200)
            os.chdir(previous)
        else:
            (tmp_path / "a").chmod(0)
        items = list(walk([tmp_path], root=tmp_path))
        (tmp_path / "a").chmod(0o755)
        problems = [item for item in items if isinstance(item, Problem)]
        assert [problem.message.startswith("cannot be read: ") for problem in problems] == [True]
        assert str(problems[0].path).startswith(str(tmp_path / "a"))
        assert tmp_path / "b/y.py" in items

    @pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
    def test_names_that_are_not_utf_8(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"caf\xe9")
        make(tmp_path, f"{name}/x.py", f"{name}.py")
        assert found(tmp_path) == [f"{name}/x.py", f"{name}.py"]
        items = list(walk([tmp_path / name, tmp_path / name / "x.py"], root=tmp_path))
        assert items == [Problem(tmp_path / name, "cannot be read: its name is not UTF-8"), tmp_path / name / "x.py"]

    def test_unreadable_files_are_reported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path, "a.py", "b.py")
        lstat = os.lstat

        def refuse(path: str, **options: Any) -> os.stat_result:
            if str(path) == str(tmp_path / "a.py"):
                raise PermissionError(13, "Permission denied")
            return lstat(path, **options)

        monkeypatch.setattr(os, "lstat", refuse)
        items = list(walk([tmp_path], root=tmp_path))
        assert items == [Problem(tmp_path / "a.py", "cannot be read: Permission denied"), tmp_path / "b.py"]

    def test_deep_trees(self, tmp_path: Path) -> None:
        name = "/".join("d" * 100) + "/x.py"
        make(tmp_path, name)
        assert found(tmp_path) == [name]


class TestGitignore:
    @pytest.fixture
    def repo(self, tmp_path: Path) -> Path:
        (tmp_path / ".git").mkdir()
        return tmp_path

    def test_nested_files_and_negation(self, repo: Path) -> None:
        make(
            repo,
            "a_pb2.py",
            "keep_pb2.py",
            "out/x.py",
            "sub/a_pb2.py",
            "sub/b_pb2.py",
            "sub/out.py",
            "sub/x/m.py",
        )
        ignore(repo, "*_pb2.py\r\n!keep_pb2.py\r\nout/\r\n")
        ignore(repo / "sub", "\ufeff!/a_pb2.py\n/x/*\n")
        assert found(repo) == ["keep_pb2.py", "sub/a_pb2.py", "sub/out.py"]
        assert len(found(repo, respect_gitignore=False)) == 7

    def test_a_file_in_an_ignored_folder_cannot_be_taken_back(self, repo: Path) -> None:
        make(repo, "out/x.py", "y.py")
        ignore(repo, "out/\n!out/x.py\n")
        assert found(repo) == ["y.py"]

    def test_info_exclude_is_weaker(self, repo: Path) -> None:
        make(repo, "a.py", "b.py", "c.py")
        ignore(repo, "a.py\nb.py\n", ".git/info/exclude")
        ignore(repo, "!b.py\n")
        assert found(repo) == ["b.py", "c.py"]

    def test_ignore_files_above_the_named_folder_count(self, repo: Path) -> None:
        make(repo, "app/sub/a.py", "app/sub/b.py", "app/sub/c.py")
        ignore(repo, "a.py\n")
        ignore(repo / "app", "sub/b.py\n")
        assert found(repo, "app/sub") == ["app/sub/c.py"]
        assert found(repo, "app/sub", respect_gitignore=False) == [
            "app/sub/a.py",
            "app/sub/b.py",
            "app/sub/c.py",
        ]

    def test_a_named_folder_is_looked_at_even_if_it_is_ignored(self, repo: Path) -> None:
        make(repo, "out/sub/a.py", "out/sub/b.py")
        ignore(repo, "/out/\n")
        ignore(repo / "out/sub", "b.py\n")
        assert found(repo, "out") == ["out/sub/a.py"]
        assert found(repo, "out/sub") == ["out/sub/a.py"]

    def test_without_a_repository_the_project_counts(self, tmp_path: Path) -> None:
        ignore(tmp_path, "a.py\n")
        make(tmp_path, "app/a.py", "app/b.py", "app/c.py")
        ignore(tmp_path / "app", "b.py\n")
        assert found(tmp_path / "app") == ["a.py", "c.py"]
        assert found(tmp_path, "app") == ["app/c.py"]

    def test_nothing_above_the_repository_counts(self, repo: Path) -> None:
        ignore(repo, "*.py\n")
        make(repo, "inner/a.py", "inner/sub/b.py")
        (repo / "inner" / ".git").mkdir()
        assert found(repo / "inner") == ["a.py", "sub/b.py"]
        assert found(repo, "inner/sub") == ["inner/sub/b.py"]
        assert found(repo) == ["inner/a.py", "inner/sub/b.py"]

    def test_bytes_that_are_not_utf_8(self, repo: Path) -> None:
        make(repo, "a.py", "b.py")
        (repo / ".gitignore").write_bytes(b"a.py\n\xff\xe9.py\n")
        assert found(repo) == ["b.py"]

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("git"), reason="git is the judge here")
    @pytest.mark.parametrize("seed", range(60))
    def test_git_takes_the_same_files(self, tmp_path: Path, seed: int) -> None:
        choose = random.Random(seed)
        git(tmp_path, "init", "-q")
        folders = [tmp_path]
        for _ in range(8):
            folders.append(choose.choice(folders) / choose.choice(["a", "b", "ab", "foo", "c d"]))
            folders[-1].mkdir(exist_ok=True)
        for folder in folders:
            for _ in range(3):
                (folder / f"{choose.choice(['a', 'b', 'ab', 'foo', 'c d'])}.py").touch()
        ignore_files = [folder / ".gitignore" for folder in [tmp_path, *choose.sample(folders, 2)]]
        for path in [*ignore_files, tmp_path / ".git/info/exclude"]:
            lines = [random_pattern(choose) + choose.choice(["\n", "\r\n"]) for _ in range(choose.randint(1, 4))]
            ignore(path.parent, "".join(lines), path.name)
        expected = git_takes(tmp_path)
        assert set(found(tmp_path, exclude=[".git"])) == expected
        # The same from a folder further down (one that is itself ignored is looked at when it is named).
        for folder in {*folders} - {tmp_path}:
            name = folder.relative_to(tmp_path).as_posix()
            if git(tmp_path, "check-ignore", "-q", name).returncode:
                below = {path for path in expected if path.startswith(name + "/")}
                assert set(found(tmp_path, name, exclude=[".git"])) == below

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("git"), reason="git is the judge here")
    @pytest.mark.parametrize("seed", range(60))
    def test_excludes_mean_the_same(self, tmp_path: Path, seed: int) -> None:
        choose = random.Random(seed)
        git(tmp_path, "init", "-q")
        names = [
            "/".join(choose.choice(["a", "b", "ab", "foo", "c d"]) for _ in range(choose.randint(1, 4))) + ".py"
            for _ in range(20)
        ]
        make(tmp_path, *names)
        patterns = [random_pattern(choose) for _ in range(4)]
        ignore(tmp_path, "\n".join(patterns))
        expected = git_takes(tmp_path)
        options: dict[str, Any] = {"exclude": [".git", *patterns], "respect_gitignore": False}
        assert set(found(tmp_path, **options)) == expected
        assert set(found(tmp_path, *names, force_exclude=True, **options)) == expected


PARTS = ["a", "b", "foo", "*", "**", "a*", "?", "[ab]", "*.py", "a.py", "ab.py", "c d", "[!a]*", "[a-c]", "\\a"]


def random_pattern(choose: random.Random) -> str:
    pattern = "/".join(choose.choice(PARTS) for _ in range(choose.choice([1, 1, 1, 2, 2, 3])))
    start = choose.choice(["", "", "", "/", "!", "!", "!/"])
    return start + pattern + choose.choice(["", "", "", "/", "/", "  ", "\\ "])


def git(folder: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-c", "core.excludesFile=", "-c", "core.ignoreCase=false", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, check=args[0] != "check-ignore")


def git_takes(folder: Path) -> set[str]:
    """The Python files below `folder` that git does not ignore."""
    listed = git(folder, "ls-files", "-z", "--others", "--exclude-standard").stdout.decode()
    return {name for name in listed.split("\0") if name.endswith(".py")}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"from dbos import DBOS\n", True),
        (b"import dbos\n", True),
        (b"x = DBOS\n", True),
        (b"from .dbos_app import app\n", True),
        (b"import asyncio\n# db os\n", False),
        (b"", False),
    ],
)
def test_mentions_dbos(data: bytes, expected: bool) -> None:
    assert mentions_dbos(data) is expected


REAL = [
    "import a",
    "import a.b.c as d, e",
    "import a . b, c",
    "from a import b",
    "from a.b import (c as d, e,)",
    "from a import (  # why ) (\n    b,  # c\n    # d\n    e as f,\n)",
    "from a import *",
    "from a import(b)",
    "from . import b",
    "from .a import b",
    "from ... a . b import c",
    "from .import b",
    "from.a import b",
    "from\ta\timport\tb",
    "from \\\n  a \\\r\n import \\\n  b, \\\n  c",
    "import \\\n a, \\\n b",
    "import a; from b import c; import d",
    "if x: import a\nelse:import b",
    "try:\n    from a import b\nexcept ImportError:\n\timport c as b",
    "def f():\n\x0c    import a # b, c",
    "from a import b as c, d\rimport e\r\nfrom f import g",
    "from a import b;x = '''\nimport c'''",
    "x = 'from a import (' ; import b\ny = ')'",
    "# from a \\\nimport b",
    "# import a, \\\nimport b",
    "# from a import (\nfrom b import (c)",
    "x = '''from a'''; import b",
    "raise_from = 1\nfrom importlib import import_module",
    "important = 1; from_x = 2\nfrom x_import import importer",
    "from é.ü import ö as ä\nimport ñ",
    "from ｄbos import x",
    "async def f(): yield (await g()); import h",
]


@pytest.mark.parametrize("text", REAL)
def test_no_real_import_is_missed(text: str) -> None:
    expected = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            expected |= {Import(0, name.name) for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            expected.add(Import(node.level, node.module or "", tuple(name.name for name in node.names)))
    assert expected
    assert imports(text.encode()) >= expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", set()),
        ("x.import_(1)\nreimport = important = x.imports\n", set()),
        ("from a import b, c as d\nimport e\n", {Import(0, "a", ("b", "c")), Import(0, "e")}),
        ("from ..a.b import (\n    c,\n)\n", {Import(2, "a.b", ("c",))}),
        ("'''\nfrom a import b\n'''\n", {Import(0, "a", ("b",))}),
    ],
)
def test_what_imports_are_seen(text: str, expected: set[Import]) -> None:
    assert imports(text.encode()) == expected


@pytest.mark.slow
def test_no_import_of_the_standard_library_is_missed() -> None:
    for path in sorted(Path(ast.__file__).parent.glob("*.py")):
        data = path.read_bytes()
        seen = imports(data)
        for node in ast.walk(ast.parse(data)):
            if isinstance(node, ast.Import):
                assert {Import(0, name.name) for name in node.names} <= seen, path
            elif isinstance(node, ast.ImportFrom):
                names = tuple(name.name for name in node.names)
                assert Import(node.level, node.module or "", names) in seen, path


def test_an_import_behind_a_byte_order_mark() -> None:
    assert imports(b"\xef\xbb\xbffrom dbos import DBOS\n") == {Import(0, "dbos", ("DBOS",))}
