"""The command: what it says, what it writes, and the exit codes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from command import BY_HAND, RIGHT, SAID, UNSAFE, WRONG, contents, make, run
from dbos_asyncify import __version__, apply, cli
from dbos_asyncify.apply import ApplyError, write
from dbos_asyncify.rules import all_rules

BROKEN = "from dbos import DBOS\n\ndef greet(:\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestExitCodes:
    @pytest.mark.parametrize("command", ["check", "diff", "fix"])
    @pytest.mark.parametrize(
        ("files", "codes"),
        [
            ({}, {"check": 0, "diff": 0, "fix": 0}),
            ({"app.py": RIGHT}, {"check": 0, "diff": 0, "fix": 0}),
            ({"app.py": WRONG}, {"check": 1, "diff": 1, "fix": 0}),
            ({"app.py": BY_HAND}, {"check": 1, "diff": 1, "fix": 1}),
            ({"app.py": UNSAFE}, {"check": 1, "diff": 1, "fix": 1}),
            ({"app.py": RIGHT, "bad.py": BROKEN}, {"check": 2, "diff": 2, "fix": 2}),
            ({"app.py": WRONG, "bad.py": BROKEN}, {"check": 2, "diff": 2, "fix": 2}),
        ],
        ids=["empty", "right", "wrong", "by hand", "unsafe", "broken", "wrong and broken"],
    )
    def test_what_is_left_decides(
        self, project: Path, command: str, files: dict[str, str], codes: dict[str, int]
    ) -> None:
        make(project, files)
        assert run(command).exit_code == codes[command]

    @pytest.mark.parametrize("command", ["check", "diff", "fix"])
    def test_exit_zero_hides_findings_and_no_failures(self, project: Path, command: str) -> None:
        make(project, {"app.py": BY_HAND})
        assert run(command, "--exit-zero").exit_code == 0
        make(project, {"bad.py": BROKEN})
        assert run(command, "--exit-zero").exit_code == 2

    def test_exit_non_zero_on_fix(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        assert run("fix", "--exit-non-zero-on-fix").exit_code == 1
        assert (project / "app.py").read_text() == RIGHT
        assert run("fix", "--exit-non-zero-on-fix").exit_code == 0

    @pytest.mark.parametrize("args", [["check", "--no-such-option"], ["no-such-command"], ["rule", "DBA1O1"]])
    def test_usage(self, args: list[str]) -> None:
        assert run(*args).exit_code == 2

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, click.Abort])
    def test_interrupted(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
    ) -> None:
        make(project, {"a.py": WRONG, "b.py": WRONG, "c.py": WRONG})

        def interrupted(path: Path, before: bytes, after: bytes) -> None:
            if path.name == "b.py":
                raise interruption
            write(path, before, after)

        monkeypatch.setattr(apply, "write", interrupted)
        result = run("fix")
        assert result.exit_code == 130
        assert "interrupted" in result.stderr
        assert contents(project) == {
            "pyproject.toml": b"",
            "a.py": WRONG.encode(),  # put back
            "b.py": WRONG.encode(),
            "c.py": WRONG.encode(),
        }

    def test_a_file_that_cannot_be_written(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(project, {"a.py": WRONG, "b.py": WRONG})

        def failing(path: Path, before: bytes) -> None:
            if path.name == "a.py":
                raise ApplyError(path, "is read-only")

        monkeypatch.setattr(cli, "ready", failing)
        result = run("fix")
        assert result.exit_code == 2
        assert "a.py: is read-only" in result.stderr
        assert "fixed in 1 file" in result.stderr
        assert (project / "b.py").read_text() == RIGHT

    def test_a_fault_of_the_tool_is_no_finding(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(project, {"app.py": WRONG})
        monkeypatch.setattr(cli, "analyse", lambda *_: 1 / 0)
        result = run("fix")
        assert result.exit_code == 2
        assert "ZeroDivisionError" in result.stderr
        assert "fault of dbos-asyncify" in result.stderr
        assert (project / "app.py").read_text() == WRONG


class TestCheck:
    def test_lists_findings_on_standard_output(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "sub/hand.py": BY_HAND})
        result = run("check")
        assert result.stdout.splitlines()[0] == f"app.py:6:5: {SAID}"
        assert "sub/hand.py:6:33: DBA101 `DBOS.get_event`" in result.stdout.replace("\\", "/")
        assert "    by hand: a lambda cannot await" in result.stdout
        assert "lambda" in result.stderr
        assert "DBA101" not in result.stderr

    def test_concise(self, project: Path) -> None:
        make(project, {"app.py": BY_HAND})
        lines = run("check", "--output-format", "concise").stdout.splitlines()
        assert [line.split(" ")[0] for line in lines] == ["app.py:6:33:", "app.py:7:5:"]

    def test_writes_nothing(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        for command in ("check", "diff"):
            run(command)
            assert contents(project) == {"pyproject.toml": b"", "app.py": WRONG.encode()}

    def test_patch(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        check, diff = run("check", "--output-format", "patch"), run("diff", "--output-format", "patch")
        assert check.stdout == diff.stdout != ""
        assert check.exit_code == 1


class TestDiff:
    def test_into_a_pipe_it_is_a_patch_and_the_rest_is_elsewhere(self, project: Path) -> None:
        make(project, {"app.py": BY_HAND})
        result = run("diff")
        assert result.stdout == (
            "--- a/app.py\n+++ b/app.py\n@@ -4,4 +4,4 @@\n @DBOS.workflow()\n"
            " async def greet(names: list[str]) -> None:\n"
            '     names.sort(key=lambda name: DBOS.get_event(name, "rank"))\n'
            "-    DBOS.sleep(1)\n+    await DBOS.sleep_async(1)\n"
        )
        assert "app.py:6:33: DBA101" in result.stderr
        assert "app.py:7:5" not in result.stderr

    def test_text_explains_every_hunk(self, project: Path) -> None:
        far = WRONG + "\n\n" + "# far away\n" * 20 + '\n\nasync def later() -> None:\n    DBOS.send("x", 1)\n'
        make(project, {"app.py": far, "hand.py": BY_HAND.replace("    DBOS.sleep(1)\n", "")})
        result = run("diff", "--output-format", "text")
        lines = result.stdout.splitlines()
        first, second = (number for number, line in enumerate(lines) if line.startswith("@@"))
        assert lines[first - 1].startswith("  DBA101 line 6: `DBOS.sleep`")
        assert lines[second - 1].startswith("  DBA101 line 33: `DBOS.send`")
        assert "+    await DBOS.sleep_async(1)" in lines
        assert any("hand.py:6:33: DBA101" in line for line in lines)

    def test_text_without_a_final_newline(self, project: Path) -> None:
        make(project, {"app.py": WRONG[:-1]})
        lines = run("diff", "--output-format", "text", "-q").stdout.splitlines()
        assert lines[-3:] == ["-    DBOS.sleep(1)", "+    await DBOS.sleep_async(1)", "     return name"]

    def test_text_shows_lines_that_look_like_headers(self, project: Path) -> None:
        """A line of SQL that goes away begins with three hyphens in a diff."""
        sql = '''\
from dbos import DBOS


async def ask() -> None:
    DBOS.set_event("sql", """
-- drop it
""" + str(DBOS.recv()))
'''
        make(project, {"app.py": sql})
        assert " -- drop it" in run("diff", "--output-format", "text").stdout.splitlines()


class TestFix:
    def test_writes_and_sums_up(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "other.py": WRONG, "hand.py": BY_HAND, "plain.py": "x = 1\n"})
        result = run("fix")
        assert contents(project) == {
            "pyproject.toml": b"",
            "app.py": RIGHT.encode(),
            "other.py": RIGHT.encode(),
            "hand.py": BY_HAND.replace("DBOS.sleep(1)", "await DBOS.sleep_async(1)").encode(),
            "plain.py": b"x = 1\n",
        }
        assert result.stdout == ""
        assert "4 files, 3 with DBOS: 4 findings, 3 fixed in 3 files." in result.stderr
        assert "1 left for a person:\n  1 × a lambda cannot await" in result.stderr
        assert "hand.py:6:33: DBA101" in result.stderr

    def test_again_changes_nothing(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "hand.py": BY_HAND, "unsafe.py": UNSAFE})
        run("fix", "--unsafe-fixes")
        files, times = contents(project), {path: path.stat().st_mtime_ns for path in project.iterdir()}
        assert files["app.py"] == RIGHT.encode()
        result = run("fix", "--unsafe-fixes")
        assert contents(project) == files
        assert {path: path.stat().st_mtime_ns for path in project.iterdir()} == times
        assert "0 fixed in 0 files" in result.stderr

    def test_unsafe_fixes_are_asked_for(self, project: Path) -> None:
        make(project, {"app.py": UNSAFE})
        result = run("fix")
        assert "2 findings with an unsafe fix: add --unsafe-fixes." in result.stderr
        assert (project / "app.py").read_text() == UNSAFE
        assert run("fix", "--unsafe-fixes").exit_code == 0
        assert (project / "app.py").read_text() == UNSAFE.replace("time.sleep", "await DBOS.sleep_async")

    def test_unsafe_fixes_in_the_configuration(self, project: Path) -> None:
        make(project, {"app.py": UNSAFE, "pyproject.toml": "[tool.dbos-asyncify]\nunsafe-fixes = true\n"})
        assert run("diff", "--no-unsafe-fixes").stdout == ""
        assert run("diff").stdout != ""


class TestImpact:
    """The workflows that the changes concern."""

    def test_after_a_patch_it_goes_to_standard_error(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        result = run("diff")
        assert "Impact" not in result.stdout
        assert "  app.py:5 `greet`: its source changes, same steps\n" in result.stderr

    def test_after_an_explained_diff_it_follows(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        result = run("diff", "--output-format", "text")
        assert "  app.py:5 `greet`: its source changes, same steps\n" in result.stdout
        assert "Impact" not in result.stderr

    def test_of_what_was_written(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        assert "`greet`: its source changes, same steps\n" in run("fix").stderr
        assert "Impact" not in run("fix").stderr  # nothing is left to change

    def test_of_standard_input(self) -> None:
        result = run("fix", "-", stdin=WRONG.encode())
        assert result.stdout == RIGHT
        assert "`greet`: its source changes" in result.stderr

    def test_nothing_where_no_workflow_is_concerned(self, project: Path) -> None:
        make(project, {"app.py": WRONG.replace("@DBOS.workflow()\n", "")})
        for command in ("diff", "fix"):
            assert "Impact" not in run(command).output

    @pytest.mark.parametrize("args", [["diff"], ["diff", "--output-format", "text"], ["fix"]], ids=" ".join)
    def test_not_when_quiet(self, project: Path, args: list[str]) -> None:
        make(project, {"app.py": WRONG})
        assert "Impact" not in run(*args, "-q").output

    def test_not_of_what_could_not_be_written(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise ApplyError(project / "app.py", "cannot be replaced")

        monkeypatch.setattr(cli, "write_all", fail)
        make(project, {"app.py": WRONG})
        assert "Impact" not in run("fix").stderr


class TestRule:
    @pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.name)
    def test_documentation_by_code_and_name(self, rule: type) -> None:
        code, name = rule.code, rule.name  # type: ignore[attr-defined]
        result = run("rule", code)
        assert result.exit_code == 0
        assert result.stdout == run("rule", name).stdout
        assert f"{name} ({code})" in result.stdout
        for heading in ("What it does", "Why", "Example", "Instead", "Fix safety"):
            assert f"\n{heading}" in result.stdout

    def test_list(self) -> None:
        lines = run("rule").stdout.splitlines()
        assert [line.split(":")[0] for line in lines] == [f"{r.code} {r.name}" for r in all_rules().values()]

    def test_unknown(self) -> None:
        result = run("rule", "Sync-DBOS-Calls")
        assert result.exit_code == 2
        assert "did you mean 'sync-dbos-call'?" in result.stderr
        assert "lists them" in run("rule", "zzz").stderr


def test_version() -> None:
    assert run("--version").stdout == f"dbos-asyncify, version {__version__}\n"
    assert run("--version").exit_code == 0


@pytest.mark.parametrize(
    "args", [["--help"], ["-h"], ["check", "--help"], ["diff", "-h"], ["fix", "-h"], ["rule", "-h"]]
)
def test_help(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_a_fix_over_two_files_is_not_written_by_half(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handle that `jobs.py` keeps is waited for in `main.py`: where one cannot be written, both stay."""
    jobs = "from dbos import DBOS\n\n\n@DBOS.workflow()\nasync def job() -> int:\n    return 1\n\n\nhandle = None\n\n\n"
    jobs += "async def begin() -> None:\n    global handle\n    handle = DBOS.start_workflow(job)\n"
    main = "import jobs\nfrom dbos import DBOS\n\n\nasync def end() -> int:\n    DBOS.sleep(1)\n"
    main += "    return jobs.handle.get_result()\n"
    make(project, {"jobs.py": jobs, "main.py": main})

    def failing(path: Path, before: bytes) -> None:
        if path.name == "main.py":
            raise ApplyError(path, "is read-only")

    monkeypatch.setattr(cli, "ready", failing)
    result = run("fix")
    assert result.exit_code == 2
    assert "main.py: is read-only" in result.stderr
    assert (project / "jobs.py").read_text() == jobs
    assert (project / "main.py").read_text() == main
    monkeypatch.undo()
    monkeypatch.chdir(project)
    assert run("fix").exit_code == 0
    assert "await DBOS.start_workflow_async(job)" in (project / "jobs.py").read_text()
    assert "await jobs.handle.get_result()" in (project / "main.py").read_text()
