"""Settings from pyproject.toml and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbos_asyncify.config import ConfigError, Settings, load, matching, override
from dbos_asyncify.discover import DEFAULT_EXCLUDE
from dbos_asyncify.project.symbols import Declaration

KNOWN = {"DBA101": "sync-dbos-call", "DBA102": "start-sync-workflow", "DBA201": "interleaved-steps"}
FULL = """\
[project]
name = "app"

[tool.dbos-asyncify]
select = ["DBA1", "interleaved-steps"]
ignore = ["DBA102"]
extend-select = ["ALL"]
unsafe-fixes = true
exclude = ["vendored"]
extend-exclude = ["migrations/*.py"]
respect-gitignore = false
force-exclude = true
scope = "workflows"
helpers = "thread"
dbos-version = "2.31.1"

[tool.dbos-asyncify.per-file-ignores]
"tests/*" = ["DBA101"]

[tool.dbos-asyncify.declare]
"app.registry.pick" = "async-workflow"
app.mail.fmt = "harmless"
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_bytes(text.encode())
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path, KNOWN) == Settings()
    write(tmp_path, "[tool.ruff]\n")
    assert load(tmp_path, KNOWN) == Settings()
    assert Settings().rules(KNOWN) == set(KNOWN)
    assert Settings().exclude == DEFAULT_EXCLUDE


def test_every_key(tmp_path: Path) -> None:
    path = write(tmp_path, FULL)
    assert load(tmp_path, KNOWN) == Settings(
        select=("DBA1", "interleaved-steps"),
        ignore=("DBA102",),
        extend_select=("ALL",),
        unsafe_fixes=True,
        exclude=("vendored",),
        extend_exclude=("migrations/*.py",),
        respect_gitignore=False,
        force_exclude=True,
        scope="workflows",
        helpers="thread",
        dbos_version="2.31.1",
        per_file_ignores={"tests/*": ("DBA101",)},
        declare={
            "app.registry.pick": Declaration("async-workflow", path, 21),
            "app.mail.fmt": Declaration("harmless", path, 22),
        },
    )


def test_the_nearest_file_with_the_table_counts(tmp_path: Path) -> None:
    write(tmp_path, '[tool.dbos-asyncify]\nselect = ["DBA2"]\n')
    inner = tmp_path / "packages" / "app"
    write(inner, "[project]\nname = 'app'\n")
    assert load(inner, KNOWN).select == ("DBA2",)
    write(inner, "[tool.dbos-asyncify]\n")
    assert load(inner, KNOWN) == Settings()


def test_a_named_file(tmp_path: Path) -> None:
    write(tmp_path, '[tool.dbos-asyncify]\nselect = ["DBA2"]\n')
    other = write(tmp_path / "other", '[tool.dbos-asyncify]\nscope = "workflows"\n')
    assert load(tmp_path, KNOWN, other) == Settings(scope="workflows")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, KNOWN, tmp_path / "gone.toml")
    empty = write(tmp_path / "empty", "[project]\n")
    with pytest.raises(ConfigError, match=r"has no table \[tool.dbos-asyncify\]") as caught:
        load(tmp_path, KNOWN, empty)
    assert str(caught.value) == f"{empty}: {caught.value.message}"


def test_the_command_line_wins(tmp_path: Path) -> None:
    write(tmp_path, FULL)
    settings = override(
        load(tmp_path, KNOWN),
        {"select": ("DBA101",), "ignore": None, "unsafe_fixes": False, "scope": "all", "dbos_version": "v3"},
        KNOWN,
    )
    assert settings.select == ("DBA101",)
    assert settings.ignore == ("DBA102",)
    assert settings.unsafe_fixes is False
    assert settings.scope == "all"
    assert settings.dbos_version == "3"
    assert settings.exclude == ("vendored",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"select": ("DBA9",)}, "unknown rule `DBA9` in `--select`"),
        ({"extend_select": ("sync-dbos-cal",)}, "in `--extend-select`: did you mean `sync-dbos-call`?"),
        ({"dbos_version": "new"}, "`--dbos-version` must be a version such as \"3.4.0\", not 'new'"),
    ],
)
def test_what_the_command_line_says_is_checked(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Settings(), given, KNOWN)
    assert message in str(caught.value)
    assert (caught.value.path, caught.value.line) == (None, 0)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "[tool.dbos-asyncify]\nselct = []\n",
            2,
            "unknown key `selct` in [tool.dbos-asyncify]: did you mean `select`?",
        ),
        ("[tool.dbos-asyncify]\nselect = []\n\nunsafe_fixes = true\n", 4, "did you mean `unsafe-fixes`?"),
        ("selct = 1\n[tool.x]\nselct = 1\n[tool.'dbos-asyncify']\n'selct' = 1\n", 5, "unknown key `selct`"),
        ("[tool.dbos-asyncify]\nqwxyz = 1\n", 2, "unknown key `qwxyz` in [tool.dbos-asyncify]"),
        ("[tool.dbos-asyncify]\n[tool.dbos-asyncify.rulez]\nx = 1\n", 2, "unknown key `rulez`"),
        ("tool.dbos-asyncify = {selct = 1}\n", 0, "unknown key `selct`"),
        ("[tool.dbos-asyncify]\nselect = 'ALL'\n", 2, "`select` must be a list of strings"),
        ("[tool.dbos-asyncify]\nexclude = [1]\n", 2, "`exclude` must be a list of strings"),
        ("[tool.dbos-asyncify]\nunsafe-fixes = 'yes'\n", 2, "`unsafe-fixes` must be true or false"),
        ("[tool.dbos-asyncify]\nscope = 'some'\n", 2, "`scope` must be one of 'all', 'workflows'"),
        ("[tool.dbos-asyncify]\nhelpers = 'async'\n", 2, "`helpers` must be one of 'promote', 'thread'"),
        ("[tool.dbos-asyncify]\nscope = []\n", 2, "`scope` must be one of 'all', 'workflows'"),
        ("[tool.dbos-asyncify]\ndbos-version = 3.4\n", 2, "`dbos-version` must be a version"),
        (
            "[tool.dbos-asyncify]\nignore = [\n  'DBA1',\n  'DBA999',\n]\n",
            2,
            "unknown rule `DBA999` in `ignore`",
        ),
        ("[tool.dbos-asyncify]\nper-file-ignores = []\n", 2, "`per-file-ignores` must be a table"),
        (
            "[tool.dbos-asyncify]\nper-file-ignores.'a' = ['no']\n",
            2,
            "unknown rule `no` in `per-file-ignores`",
        ),
        ("[tool.dbos-asyncify]\ndeclare = 'harmless'\n", 2, "`declare` must be a table of dotted names"),
        (
            "[tool.dbos-asyncify]\nscope = 'all'\ndeclare = {'app.mail.fmt' = 'harmles'}\n",
            3,
            "one of 'async-workflow', 'sync-workflow', 'blocking', 'harmless': did you mean `harmless`?",
        ),
        ("[tool.dbos-asyncify]\ndeclare.'app.mail.fmt' = ['harmless']\n", 2, "`app.mail.fmt` must be declared as one"),
        (
            "[tool.dbos-asyncify.declare]\n'app.pick' = 'harmless'\n\n'app.mail' = 'blokking'\n",
            4,
            "`app.mail` must be declared as one of",
        ),
        ("[tool.dbos-asyncify.declare]\nx = 1\n'send' = 'harmless'\n", 2, "`x` must be declared"),
        (
            "[tool.dbos-asyncify]\n[tool.dbos-asyncify.declare]\nsend = 'harmless'\n",
            3,
            "`send` in `declare` is not a dotted name",
        ),
        ("[tool.dbos-asyncify.declare]\n'app.mail.send()' = 'harmless'\n", 2, "is not a dotted name"),
        ("[project]\nname = \r\nx = 1\r\n", 2, "is not valid TOML: Invalid value"),
        ("[project]\nx = 1\ny = [\n", 3, "is not valid TOML"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, KNOWN)
    assert message in caught.value.message
    assert (caught.value.path, caught.value.line) == (path, line)
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: ")


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"[project]\nname = '\xe9'\n")
    with pytest.raises(ConfigError, match="is not UTF-8") as caught:
        load(tmp_path, KNOWN)
    assert caught.value.line == 2


@pytest.mark.parametrize("text", ["tool = 1\n", "[tool]\ndbos-asyncify = 1\n"])
def test_a_table_that_is_none_counts_as_missing(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert load(tmp_path, KNOWN) == Settings()


@pytest.mark.parametrize(
    ("selector", "codes"),
    [
        ("ALL", {"DBA101", "DBA102", "DBA201"}),
        ("DBA", {"DBA101", "DBA102", "DBA201"}),
        ("DBA1", {"DBA101", "DBA102"}),
        ("DBA201", {"DBA201"}),
        ("start-sync-workflow", {"DBA102"}),
        ("start", set()),
        ("DBA3", set()),
        ("dba1", set()),
        ("", set()),
    ],
)
def test_selectors(selector: str, codes: set[str]) -> None:
    assert matching(selector, KNOWN) == codes


def test_ignore_wins_over_select() -> None:
    settings = Settings(select=("DBA2",), extend_select=("DBA1",), ignore=("sync-dbos-call",))
    assert settings.rules(KNOWN) == {"DBA102", "DBA201"}


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("app/tests/test_a.py", {"DBA101", "DBA102"}),
        ("app/x_gen.py", {"DBA201"}),
        ("app/x.py", set()),
        ("elsewhere/x_gen.py", {"DBA201"}),
        ("tests/test_a.py", set()),
    ],
)
def test_per_file_ignores_are_relative_to_the_root(tmp_path: Path, path: str, codes: set[str]) -> None:
    settings = Settings(per_file_ignores={"tests/*": ("DBA1",), "*_gen.py": ("interleaved-steps",)})
    assert settings.ignored_in(tmp_path / path, tmp_path / "app", KNOWN) == codes


@pytest.mark.parametrize(
    "text",
    [
        "[tool.dbos-asyncify]\ndeclare = {'app.a' = 'harmless', 'app.b.c' = 'blocking'}\n",
        "[tool.dbos-asyncify]\ndeclare = {app.a = 'harmless', app.b.c = 'blocking'}\n",
        "[tool.dbos-asyncify]\ndeclare.'app.a' = 'harmless'\ndeclare.app.b.c = 'blocking'\n",
        "[tool.dbos-asyncify.declare]\n'app.a' = 'harmless'\n'app.b.c' = 'blocking'\n",
        "[tool.dbos-asyncify.declare.app]\na = 'harmless'\nb.c = 'blocking'\n",
    ],
)
def test_declarations_in_all_ways_of_toml(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    found = load(tmp_path, KNOWN).declare
    assert {name: declared.kind for name, declared in found.items()} == {"app.a": "harmless", "app.b.c": "blocking"}
