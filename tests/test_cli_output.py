"""Where the output goes: pipes, terminals, colours, interruptions."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command import BY_HAND, RIGHT, SAID, WRONG, environment, make, run, spawn, start

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and devices")
COLOUR = b"\x1b["
RED_TO_CYAN = re.compile(rb"\x1b\[[\d;]*3[1-6]m")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    make(tmp_path, {"pyproject.toml": "", "app.py": BY_HAND})
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestColour:
    @pytest.mark.parametrize("command", ["check", "diff"])
    def test_only_where_it_is_wanted(self, command: str) -> None:
        for args in ([], ["--color", "auto"], ["--color", "never"]):
            result = run(command, *args)
            assert COLOUR not in result.stdout_bytes + result.stderr_bytes, args
        assert COLOUR in run(command, "--color", "always").stdout_bytes

    def test_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert COLOUR in run("check").stdout_bytes
        assert COLOUR not in run("check", "--color", "never").stdout_bytes
        monkeypatch.setenv("NO_COLOR", "1")
        assert not RED_TO_CYAN.search(run("check").stdout_bytes)

    def test_a_patch_stays_a_patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Services that build projects set FORCE_COLOR for everything; a pipe is still no terminal."""
        plain = run("diff")
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert run("diff").stdout_bytes == plain.stdout_bytes

    def test_an_output_file_is_plain(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        run("check", "-o", "out.txt")
        assert COLOUR not in (project / "out.txt").read_bytes()
        run("check", "-o", "out.txt", "--color", "always")
        assert COLOUR in (project / "out.txt").read_bytes()

    def test_words_are_the_same_with_and_without(self, project: Path) -> None:
        for command in ("check", "diff --output-format text"):
            coloured = run(*command.split(), "--color", "always").stdout
            assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == run(*command.split()).stdout


@posix_only
class TestTerminal:
    def on_a_terminal(self, project: Path, *args: str, **more: str) -> bytes:
        import pty

        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "dbos_asyncify", *args],
            cwd=project,
            env=environment(TERM="xterm", **more),
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        ):
            os.close(theirs)
            said = b""
            try:
                while part := os.read(ours, 65536):
                    said += part
            except OSError:  # Linux says so at the end
                pass
        os.close(ours)
        return said

    def test_a_diff_is_explained_and_coloured(self, project: Path) -> None:
        said = self.on_a_terminal(project, "diff")
        assert RED_TO_CYAN.search(said)
        assert b"DBA101 line 7" in said
        assert b"by hand" in said

    @pytest.mark.parametrize("args", [["--color", "never"], []])
    def test_without_colours_it_is_explained_all_the_same(self, project: Path, args: list[str]) -> None:
        said = self.on_a_terminal(project, "diff", *args, NO_COLOR="1")
        assert not RED_TO_CYAN.search(said)
        assert b"DBA101 line 7" in said


class TestText:
    def test_lines_are_no_emoji_and_names_no_markup(self, project: Path) -> None:
        """Rich reads `:100:` and `[x]` as its own where it is let."""
        lines = "\n" * 98
        make(project, {"app.py": "", "[red]b.py": "import dbos" + lines + "\ndef (:\n"})
        assert "[red]b.py:100:5: DBA900 invalid syntax\n" in run("check").stderr

    @pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
    def test_names_that_are_not_unicode(self, project: Path) -> None:
        name = os.fsdecode(b"a\xff.py")
        make(project, {"app.py": ""})
        (project / name).write_text(WRONG)
        for command in ("check", "diff"):
            result = spawn(command, folder=project, PYTHONIOENCODING="utf-8")
            assert result.returncode == 1
            assert b"a\xff.py" in result.stdout or b"a\\udcff.py:6:5" in result.stdout
        assert spawn("fix", folder=project).returncode == 0
        assert (project / name).read_text() == RIGHT

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
    def test_streams_that_lack_a_character(self, project: Path, encoding: str) -> None:
        make(project, {"app.py": BY_HAND, "日本.py": WRONG})
        for args in (["diff", "--output-format", "text"], ["fix"]):
            result = spawn(*args, folder=project, PYTHONIOENCODING=encoding)
            assert result.returncode == 1
            assert b"Traceback" not in result.stderr
        assert (project / "日本.py").read_text() == RIGHT

    def test_long_lines_are_not_broken(self, project: Path) -> None:
        name = "/".join(["a" * 50] * 3) + "/app.py"
        make(project, {"app.py": "", name: WRONG})
        assert run("check").stdout == f"{Path(name)}:6:5: {SAID}\n"


@posix_only
class TestPipes:
    @pytest.mark.parametrize("args", [["check"], ["diff"], ["rule"]], ids=" ".join)
    def test_a_reader_that_goes_away(self, project: Path, args: list[str]) -> None:
        with start(*args, folder=project) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.close()
            said = process.stderr.read()
        assert b"Traceback" not in said
        assert b"BrokenPipe" not in said
        assert b"fault of dbos-asyncify" not in said

    def test_a_full_disk(self, project: Path) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("no /dev/full")
        with Path("/dev/full").open("wb") as full:
            command = [sys.executable, "-m", "dbos_asyncify", "diff"]
            result = subprocess.run(
                command, cwd=project, env=environment(), stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert result.returncode != 0
        assert result.returncode != 1
        assert b"No space left on device" in result.stderr
        assert b"Traceback" not in result.stderr

    def test_interrupted_while_it_waits(self, project: Path) -> None:
        # What runs the tests in the background may ignore the signal, and children inherit that.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            process = start("fix", "-", folder=project)
        finally:
            signal.signal(signal.SIGINT, handler)
        with process:
            assert process.stdin
            process.stdin.write(b"#" * 1_000_000)  # more than a pipe holds: when this returns, it is being read
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 130
        assert b"interrupted" in said
        assert b"Traceback" not in said


def test_the_script_of_the_checkout(project: Path) -> None:
    script = Path(__file__).parents[1] / "cli.py"
    result = subprocess.run(
        [sys.executable, script, "check", "--output-format", "concise"], cwd=project, capture_output=True, check=False
    )
    assert result.returncode == 1
    assert b"app.py:7:5: DBA101" in result.stdout
