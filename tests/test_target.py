"""The lowest dbos and Python that a project allows."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from dbos_asyncify.config import ConfigError
from dbos_asyncify.target import find_target, target_python

LOCK = '[[package]]\nname = "click"\nversion = "8.1"\n\n[[package]]\nname = "dbos"\nversion = "{}"\n'


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def found(root: Path) -> tuple[str | None, str]:
    target = find_target(root, None, None)
    assert target.problems == ()
    return target.version, target.origin


def test_the_command_line_wins_over_the_settings_over_files(tmp_path: Path) -> None:
    put(tmp_path, {"uv.lock": LOCK.format("2.3.0")})
    target = find_target(tmp_path, "2.9", "3.0")
    assert (target.version, target.origin) == ("2.9", "--dbos-version")
    target = find_target(tmp_path, None, "3.0")
    assert (target.version, target.origin) == ("3.0", "[tool.dbos-asyncify] dbos-version")
    assert found(tmp_path) == ("2.3.0", "uv.lock")


@pytest.mark.parametrize("wrong", ["", "latest", ">=2", "2.x"])
def test_a_version_that_is_none(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match="`--dbos-version` must be a version"):
        find_target(tmp_path, wrong, None)
    with pytest.raises(ConfigError, match="`dbos-version` must be a version"):
        find_target(tmp_path, None, wrong)


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pdm.lock"])
def test_lock_files(tmp_path: Path, name: str) -> None:
    put(tmp_path, {name: LOCK.format("2.31.1"), "pyproject.toml": '[project]\ndependencies = ["dbos>=2"]\n'})
    assert found(tmp_path) == ("2.31.1", name)


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.prod.toml"])
def test_pylock(tmp_path: Path, name: str) -> None:
    put(tmp_path, {name: LOCK.format("2.31.1").replace("[[package]]", "[[packages]]")})
    assert found(tmp_path) == ("2.31.1", name)


def test_the_lowest_of_all_locks_counts(tmp_path: Path) -> None:
    put(tmp_path, {"uv.lock": LOCK.format("2.31.1") + LOCK.format("2.9.0"), "pdm.lock": LOCK.format("2.10.0")})
    assert found(tmp_path) == ("2.9.0", "uv.lock")


def test_a_lock_without_dbos_or_without_version_says_nothing(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "uv.lock": '[[package]]\nname = "dbos"\nsource = {git = "https://example.org/dbos"}\n',
            "poetry.lock": '[[package]]\nname = "dbos-tools"\nversion = "1.0"\n',
            "pdm.lock": 'package = "odd"\n',
            "requirements.txt": "dbos==2.4\n",
        },
    )
    assert found(tmp_path) == ("2.4", "requirements.txt")


def test_a_workspace_member_uses_the_lock_of_its_repository(tmp_path: Path) -> None:
    put(tmp_path, {"uv.lock": LOCK.format("1.0"), "repo/uv.lock": LOCK.format("2.3.0")})
    member = tmp_path / "repo" / "packages" / "app"
    put(member, {"pyproject.toml": '[project]\ndependencies = ["dbos>=2.9"]\n'})
    assert found(member) == ("2.9", "pyproject.toml")
    (tmp_path / "repo" / ".git").mkdir()
    assert found(member) == ("2.3.0", "uv.lock")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("dbos==2.3.0\n", "2.3.0"),
        ("click\nDBOS[otel] >= 2.10, < 3  # queues\n", "2.10"),
        ("dbos~=2.5.1\n", "2.5.1"),
        ("dbos==2.*\n", "2"),
        ("dbos>2.5,>=2.1,!=2.6\n", "2.5"),
        ("dbos==2.3.0 ; python_version > '3.9' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n", "2.3.0"),
        ("-r base.txt\n--index-url https://example.org\n-e .\n\n# dbos==1.0\ndbos==2.1\r\n", "2.1"),
        ("dbos-extra==1.0\ndbos==3.1\ndbos==3.0\n", "3.0"),
    ],
)
def test_requirements(tmp_path: Path, text: str, version: str) -> None:
    put(tmp_path, {"requirements/prod.txt": text, "pyproject.toml": '[project]\ndependencies = ["dbos>=1"]\n'})
    assert found(tmp_path) == (version, "requirements/prod.txt")


@pytest.mark.parametrize("text", ["dbos\n", "dbos<3\n", "dbos @ git+https://example.org/dbos@v2\n", "./dbos==2\n"])
def test_requirements_without_a_lower_bound_leave_it_to_the_next(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"requirements.txt": text, "pyproject.toml": '[project]\ndependencies = ["dbos>=2.2"]\n'})
    assert found(tmp_path) == ("2.2", "pyproject.toml")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('[project]\ndependencies = ["click>=8", "dbos[otel]>=2.3"]\n', "2.3"),
        ('[project]\noptional-dependencies = {jobs = ["dbos>=2.4,<4"]}\n', "2.4"),
        ('[dependency-groups]\ndev = [{include-group = "x"}, "dbos>=2.9"]\nx = ["dbos>=2.31"]\n', "2.9"),
        ('[tool.poetry.dependencies]\npython = "^3.10"\ndbos = "^2.3.1"\n', "2.3.1"),
        ('[tool.poetry.dependencies]\ndbos = "~2.3"\n', "2.3"),
        ('[tool.poetry.dependencies]\ndbos = "2.3.0"\n', "2.3.0"),
        ('[tool.poetry.dependencies]\ndbos = "2.*"\n', "2"),
        ('[tool.poetry.dependencies]\ndbos = ">=2.3 <4"\n', "2.3"),
        ('[tool.poetry.dependencies]\ndbos = ">= 2.3, <4"\n', "2.3"),
        ('[tool.poetry.dependencies]\ndbos = "^3.0 || ^2.31"\n', "2.31"),
        ('[tool.poetry.dependencies]\ndbos = {version = "^2.3", extras = ["otel"]}\n', "2.3"),
        (
            '[tool.poetry.dependencies]\ndbos = [{version = "3.0"}, {version = "^2.3", python = "<3.11"}]\n',
            "2.3",
        ),
        ('[tool.poetry.group.jobs.dependencies]\ndbos = "^2.7"\n', "2.7"),
        ('[tool.poetry.dev-dependencies]\ndbos = "~=2.8"\n', "2.8"),
    ],
)
def test_pyproject(tmp_path: Path, text: str, version: str) -> None:
    put(tmp_path, {"pyproject.toml": text})
    assert found(tmp_path) == (version, "pyproject.toml")


def test_setup_cfg(tmp_path: Path) -> None:
    text = "[options]\ninstall_requires =\n    click\n    dbos>=2.9\n"
    put(tmp_path, {"setup.cfg": text + "[options.extras_require]\nx = dbos>=2.8\ny = %d\n"})
    assert found(tmp_path) == ("2.8", "setup.cfg")


@pytest.mark.parametrize(
    "text",
    [
        '[tool.poetry.dependencies]\ndbos = "*"\n',
        '[tool.poetry.dependencies]\ndbos = {git = "https://example.org/dbos"}\n',
        '[project]\ndependencies = ["dbos @ https://example.org/dbos-2.3.tar.gz", "not a requirement", 3]\n',
        'project = "odd"\ntool = ["odd"]\n',
        "",
    ],
)
def test_else_the_installed_one(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"pyproject.toml": text, "setup.cfg": "[metadata]\nname = x\n"})
    assert found(tmp_path) == (importlib.metadata.version("dbos"), "the installed dbos")


def test_else_the_newest_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert found(tmp_path) == (None, "the newest known")


def test_broken_files_are_reported_and_skipped(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "uv.lock": '[[package]]\nname = "dbos"\nversion = \n',
            "setup.cfg": "dbos>=1\n",
            "pyproject.toml": '[project\ndependencies = ["dbos>=2.2"]\n',
        },
    )
    (tmp_path / "pdm.lock").write_bytes(b"\xff")
    (tmp_path / "requirements.txt").write_bytes(b"\xffdbos==1.0\n")
    (tmp_path / "requirements-dev.txt").mkdir()
    put(tmp_path, {"poetry.lock": LOCK.format("2.3.0")})
    target = find_target(tmp_path, None, None)
    assert (target.version, target.origin) == ("2.3.0", "poetry.lock")
    assert [(problem.path.name, problem.line) for problem in target.problems] == [
        ("pdm.lock", 1),
        ("uv.lock", 3),
    ]
    (tmp_path / "poetry.lock").unlink()
    names = [problem.path.name for problem in find_target(tmp_path, None, None).problems]
    assert names == [
        "pdm.lock",
        "uv.lock",
        "requirements-dev.txt",
        "requirements.txt",
        "pyproject.toml",
        "setup.cfg",
    ]


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.11,<4"\n'}, (3, 11)),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.12.1"\n'}, (3, 12)),
        ({"setup.cfg": "[options]\npython_requires = >=3.10\n"}, (3, 10)),
        ({"pyproject.toml": "[project\n", "setup.cfg": "[options]\npython_requires = >3.9\n"}, (3, 9)),
        ({"pyproject.toml": '[project]\nrequires-python = "<4"\n', "setup.cfg": "odd\n"}, None),
        ({"pyproject.toml": '[project]\nrequires-python = "three"\n'}, None),
        ({}, None),
    ],
)
def test_target_python(tmp_path: Path, files: dict[str, str], version: tuple[int, int] | None) -> None:
    put(tmp_path, files)
    assert target_python(tmp_path) == version
