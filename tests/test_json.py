"""The JSON output, read as a program reads it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from command import BY_HAND, RIGHT, SAID, UNSAFE, WRONG, make, run
from dbos_asyncify.findings import Replacement
from dbos_asyncify.pipeline import analyse
from dbos_asyncify.source import from_bytes
from fixture_cases import Case, cases


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(*args: str) -> Any:
    return json.loads(run(*args, "--output-format", "json").stdout)


def test_a_finding_with_its_fix(project: Path) -> None:
    make(project, {"app.py": WRONG})
    (finding,) = document("check")["findings"]
    fix = finding.pop("fix")
    assert finding == {
        "code": "DBA101",
        "name": "sync-dbos-call",
        "message": SAID.removeprefix("DBA101 [*] "),
        "filename": str(project / "app.py"),
        "location": {"row": 6, "column": 5},
        "end_location": {"row": 6, "column": 18},
        "chain": [],
        "reason": None,
    }
    assert fix == {
        "applicability": "safe",
        "message": finding["message"],
        "caution": None,
        "applied": True,
        "edits": [
            {
                "content": "    await DBOS.sleep_async(1)\n",
                "filename": str(project / "app.py"),
                "location": {"row": 6, "column": 1},
                "end_location": {"row": 7, "column": 1},
            }
        ],
    }


def test_what_is_left_to_a_person_says_why(project: Path) -> None:
    make(project, {"app.py": BY_HAND})
    by_hand, safe = document("check")["findings"]
    assert by_hand["fix"] is None
    assert "lambda" in by_hand["reason"]
    assert safe["reason"] is None


def test_unsafe_fixes_are_there_and_not_applied(project: Path) -> None:
    make(project, {"app.py": UNSAFE})
    for args, applied in ([], False), (["--unsafe-fixes"], True):
        fixes = [finding["fix"] for finding in document("diff", *args, "--select", "DBA1")["findings"]]
        assert [(fix["applicability"], fix["applied"]) for fix in fixes] == [("unsafe", applied)] * 2
        assert all(fix["edits"] for fix in fixes)


def test_chain(project: Path) -> None:
    make(project, {"app.py": WRONG.replace("DBOS.sleep(1)", "rest()") + "\n\ndef rest() -> None:\n    DBOS.sleep(1)\n"})
    (finding,) = document("check")["findings"]
    assert finding["chain"] == [
        {"filename": str(project / "app.py"), "row": 11, "message": "`rest` calls `DBOS.sleep`"}
    ]


def test_chain_names_what_map_calls(project: Path) -> None:
    source = """
import asyncio
from dbos import DBOS

@DBOS.step()
async def load(name: str) -> str:
    return name

async def load_twice(name: str) -> str:
    return await load(await load(name))

@DBOS.workflow()
async def load_all(names: list[str]) -> list:
    return await asyncio.gather(*map(load_twice, names), return_exceptions=True)
"""
    make(project, {"app.py": source})
    (finding,) = document("check", "--select", "DBA201")["findings"]
    (link,) = finding["chain"]
    assert link["message"] == "`load_twice` runs two or more steps"


@pytest.mark.parametrize("command", ["check", "diff", "fix"])
def test_impact(project: Path, command: str) -> None:
    make(project, {"app.py": WRONG})
    impact = document(command, "--dbos-version", "3.3.0")["impact"]
    assert impact["dbos_version"] == "3.3.0"
    assert impact["new_application_version"] is True
    (workflow,) = impact["workflows"]
    (reason,) = workflow.pop("reasons")
    assert workflow == {
        "name": "greet",
        "filename": str(project / "app.py"),
        "row": 5,
        "source_changes": True,
        "steps": "same",
        "runs_changed": [],
    }
    assert reason["row"] == 5
    assert [way["name"] for way in impact["deployment"]] == ["drain", "blue-green", "pin"]
    assert all(way["message"] for way in impact["deployment"])


def test_nothing_found(project: Path) -> None:
    make(project, {"app.py": RIGHT})
    content = document("diff")
    assert (content["findings"], content["problems"]) == ([], [])
    assert content["impact"]["workflows"] == content["impact"]["deployment"] == []
    assert content["impact"]["new_application_version"] is False


@pytest.mark.parametrize("command", ["check", "diff", "fix"])
def test_problems_and_exit_codes(project: Path, command: str) -> None:
    make(project, {"app.py": RIGHT})
    assert run(command, "--output-format", "json").exit_code == 0
    make(project, {"broken.py": "from dbos import DBOS\n\ndef greet(:\n"})
    result = run(command, "--output-format", "json")
    assert result.exit_code == 2
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem == {
        "code": "DBA900",
        "message": "invalid syntax",
        "filename": str(project / "broken.py"),
        "location": {"row": 3, "column": 11},
    }


def test_fix_writes(project: Path) -> None:
    make(project, {"app.py": WRONG})
    (finding,) = document("fix")["findings"]
    assert finding["fix"]["applied"]
    assert (project / "app.py").read_text() == RIGHT


def test_fix_of_standard_input_prints_the_file() -> None:
    result = run("fix", "-", "--output-format", "json", stdin=WRONG.encode())
    assert result.exit_code == 2
    assert result.stdout == ""


def test_into_a_file(project: Path) -> None:
    make(project, {"app.py": WRONG})
    assert run("check", "--output-format", "json", "-o", "out.json").stdout == ""
    assert len(json.loads((project / "out.json").read_bytes())["findings"]) == 1


def applied(files: dict[Path, str], replacements: Iterable[Replacement]) -> dict[Path, str]:
    """The files after these edits, made from the end so that places stay right."""
    after = {path: text.splitlines(keepends=True) for path, text in files.items()}
    for replacement in sorted(replacements, key=lambda each: each.span, reverse=True):
        after[replacement.path][replacement.span.line - 1 : replacement.span.end_line - 1] = [replacement.content]
    return {path: "".join(lines) for path, lines in after.items()}


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_edits_of_a_fix_by_itself(case: Case) -> None:
    """They give valid code; where only one fix is made, what `fix` writes."""
    root = Path("/project").absolute()
    files = {root / path: data.decode() for path, data in case.before().items()}
    sources = [from_bytes(path, text.encode()) for path, text in files.items()]
    result = analyse(sources, list(files), root, replace(case.options(), replacements=True))
    for fix, replacements in result.replacements.items():
        after = applied(files, replacements)
        assert {path for path in files if after[path] != files[path]} == set(fix.edits)
        for path, text in after.items():
            compile(text, str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if result.applied == {fix}:
            assert after == {path: case.after()[path.relative_to(root)].decode() for path in files}
