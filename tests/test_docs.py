"""What README, the changelog and docs/ say, against the program."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

import generate_docs
from dbos_asyncify import __version__, cli
from dbos_asyncify.config import Settings
from dbos_asyncify.dbos_api import newest, oldest
from dbos_asyncify.rules import all_rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "examples/README.md")
COMMAND = "dbos-asyncify"


def section(title: str) -> str:
    """The part of README under a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in `text`, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def code_blocks(path: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every code block."""
    text = path.read_text(encoding="utf-8")
    for block in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield block[1], block[2]


def commands() -> Iterator[list[str]]:
    """The arguments of every `dbos-asyncify` in the code blocks and in code within the text."""
    for path in PAGES:
        shown = [line for language, text in code_blocks(path) if language != "toml" for line in text.splitlines()]
        shown += re.findall(rf"`({COMMAND} [^`\n]+)`", path.read_text(encoding="utf-8"))
        for line in shown:
            lexer = shlex.shlex(line.replace("\\", "/"), posix=True, punctuation_chars=True)
            words: list[str] = []
            for word in [*lexer, ";"]:
                if not set(word) <= set("&|;<>()"):
                    words.append(word)
                    continue
                names = [index for index, each in enumerate(words) if each.rpartition("/")[2] == COMMAND]
                if names and words[names[0] + 1 :]:
                    yield words[names[0] + 1 :]
                words = []


def test_generated_parts_are_up_to_date() -> None:
    assert not generate_docs.stale(ROOT).keys(), "run scripts/generate_docs.py"


def test_out_of_date_parts_are_named_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_bytes(README.replace("DBA101", "DBA999").encode())
    assert generate_docs.update(tmp_path, check=True) == 1
    names = ["README.md", "docs/rules.md", "docs/diff.svg"]
    assert capsys.readouterr().out.splitlines() == [f"{name} is out of date" for name in names]
    assert not (tmp_path / "docs").exists()
    assert generate_docs.update(tmp_path, check=False) == 0
    assert generate_docs.update(tmp_path, check=True) == 0
    assert "DBA999" not in generate_docs.table()
    assert generate_docs.table() in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_picture_shows_findings_and_changes() -> None:
    lines = generate_docs.shown_text((ROOT / generate_docs.PICTURE).read_text(encoding="utf-8"))
    assert any(line.startswith("  DBA101 line ") for line in lines)
    assert any(line.startswith("-") for line in lines)
    assert any(line.startswith("+") for line in lines)
    assert len(lines) <= 48
    assert max(map(len, lines)) <= generate_docs.COLUMNS


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_commands_that_are_shown_exist(arguments: list[str]) -> None:
    command = cli.main.commands[arguments[0]]
    # As the command line makes it: click keeps a command's help option as its first context had it.
    context = click.Context(command, parent=click.Context(cli.main, **cli.main.context_settings))
    values, paths, _ = command.make_parser(context).parse_args(arguments[1:])
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice) and values.get(parameter.name or ""):
            assert values[parameter.name or ""] in parameter.type.choices
    known = {name for rule in all_rules().values() for name in (rule.code, rule.name)}
    if arguments[0] == "rule":
        assert set(paths) <= {*known, "NAME"}
    assert {name for value in values.get("select") or () for name in value.split(",")} <= known


def test_all_commands_are_shown() -> None:
    assert {arguments[0] for arguments in commands()} == set(cli.main.commands)


def test_exit_codes() -> None:
    table = rows(section("Use it on your repository"))
    assert [int(code) for code, _ in table] == [cli.CLEAN, cli.LEFT, cli.FAILED, cli.INTERRUPTED]


def test_configuration_keys_and_defaults() -> None:
    table = {key.strip("`"): default for key, default, _ in rows(section("Configuration"))}
    defaults = {field.name.replace("_", "-"): getattr(Settings(), field.name) for field in fields(Settings)}
    assert set(table) == set(defaults)
    for key, shown in table.items():
        if shown.startswith("`"):
            default = list(defaults[key]) if isinstance(defaults[key], tuple) else defaults[key]
            assert tomllib.loads(f"value = {shown.strip('`')}")["value"] == default, key


def test_configuration_example_is_read(tmp_path: Path) -> None:
    example = next(text for language, text in code_blocks(ROOT / "README.md") if language == "toml")
    (tmp_path / "pyproject.toml").write_text(example, encoding="utf-8")
    (tmp_path / "app.py").touch()
    command = [sys.executable, str(ROOT / "cli.py"), "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_versions_of_dbos() -> None:
    assert f"dbos {oldest()} to {newest()}" in section("Versions")


def test_changelog_names_the_version_and_every_rule() -> None:
    latest = re.search(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    assert latest
    assert latest[1] == __version__
    listed = re.findall(r"^ *- (DBA\d+) ([\w-]+):", CHANGELOG, re.MULTILINE)
    assert sorted(listed) == [(rule.code, rule.name) for rule in all_rules().values()]


def test_every_rule_is_in_the_table_with_its_cases() -> None:
    for code, rule in all_rules().items():
        assert f"[{code}](docs/rules.md#{code.lower()}-{rule.name})" in section("Rules")
        assert any((ROOT / "tests/fixtures" / rule.name).iterdir())


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "docs/rules.md", "examples/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {head.lower().replace(" ", "-") for head in heads}, target


def test_impact_is_reported_as_readme_shows() -> None:
    shown = re.search(r"^```\n(Impact .*?)```$", section("Before you deploy"), re.MULTILINE | re.DOTALL)
    assert shown
    command = [sys.executable, str(ROOT / "cli.py"), "diff", "--isolated", "--dbos-version", "3.4.0"]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, encoding="utf-8", check=False)
    assert set(shown[1].replace("/", os.sep).splitlines()) <= set(done.stderr.replace("/", os.sep).splitlines())


def test_example_finds_as_many_as_readme_says() -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "check", "--isolated", "--output-format", "concise", "examples"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == cli.LEFT, done.stderr
    found = done.stdout.splitlines()
    files = {line.partition(":")[0] for line in found}
    assert f"({len(found)} findings in {len(files)} files)" in section("Try it")
