"""The options and the configuration, through the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import BY_HAND, SAID, WRONG, make, run

BROKEN = "from dbos import DBOS\n\ndef greet(:\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


MIXED = """\
from dbos import DBOS


@DBOS.step()
def load() -> int:
    return 1


async def work() -> None:
    DBOS.sleep(1)
    load()
    await DBOS.recv()


@DBOS.workflow()
async def flow() -> None:
    DBOS.pause_schedule("x")
"""


class TestOptions:
    @pytest.mark.parametrize(
        ("args", "codes"),
        [
            ("", ["DBA101", "DBA104", "DBA112", "DBA108"]),
            ("--select DBA104", ["DBA104"]),
            ("--select blocking-step", ["DBA104"]),
            ("--select DBA104,DBA108", ["DBA104", "DBA108"]),
            ("--select DBA104 --select no-async-form", ["DBA104", "DBA108"]),
            ("--select DBA10", ["DBA101", "DBA104", "DBA108"]),
            ("--select DBA --ignore DBA10", ["DBA112"]),
            ("--ignore sync-dbos-call", ["DBA104", "DBA112", "DBA108"]),
            ("--select DBA104 --extend-select DBA101", ["DBA101", "DBA104"]),
            ("--select ALL --ignore ALL", []),
            ("--scope workflows", ["DBA108"]),
            ("--scope all", ["DBA101", "DBA104", "DBA112", "DBA108"]),
        ],
    )
    def test_which_rules(self, project: Path, args: str, codes: list[str]) -> None:
        make(project, {"app.py": MIXED})
        result = run("check", "--output-format", "concise", *args.split())
        assert [line.split(" ")[1] for line in result.stdout.splitlines()] == codes
        assert result.exit_code == bool(codes)

    def test_only_what_is_selected_is_fixed(self, project: Path) -> None:
        make(project, {"app.py": MIXED})
        assert run("fix", "--select", "DBA101").exit_code == 0
        assert (project / "app.py").read_text() == MIXED.replace("DBOS.sleep(1)", "await DBOS.sleep_async(1)")

    @pytest.mark.parametrize("option", ["--select", "--ignore", "--extend-select"])
    @pytest.mark.parametrize(
        ("wrong", "advice"),
        [("sync-dbos-cal", ": did you mean `sync-dbos-call`?"), ("DBA1001", ": did you mean `DBA101`?"), ("zzz", "")],
    )
    def test_an_unknown_rule(self, project: Path, option: str, wrong: str, advice: str) -> None:
        make(project, {"app.py": WRONG})
        result = run("fix", option, wrong)
        assert result.exit_code == 2
        assert result.stderr == f"error: unknown rule `{wrong}` in `{option}`{advice}\n"
        assert (project / "app.py").read_text() == WRONG

    @pytest.mark.parametrize("given", ["three", "", "3.x"])
    def test_a_version_that_is_none(self, given: str) -> None:
        result = run("check", "--dbos-version", given)
        assert result.exit_code == 2
        assert result.stderr == f'error: `--dbos-version` must be a version such as "3.4.0", not {given!r}\n'

    HELPER = """\
from dbos import DBOS


def tell(order: str) -> None:
    DBOS.send(order, "shipped")


async def ship(order: str) -> None:
    tell(order)
"""

    @pytest.mark.parametrize("setting", ["option", "configuration"])
    def test_helpers_may_stay_as_they_are(self, project: Path, setting: str) -> None:
        make(project, {"app.py": self.HELPER})
        assert "+async def tell(order: str) -> None:" in run("diff").stdout
        args = ["--helpers", "thread"] if setting == "option" else []
        if setting == "configuration":
            make(project, {"pyproject.toml": '[tool.dbos-asyncify]\nhelpers = "thread"\n'})
        patch = run("diff", *args).stdout
        assert "+    await asyncio.to_thread(tell, order)" in patch
        assert "async def tell" not in patch

    def test_a_helper_stays_where_the_rule_is_off_for_one_of_its_callers(self, project: Path) -> None:
        caller = "from app import tell\n\n\nasync def nightly() -> None:\n    tell('all')\n"
        settings = '[tool.dbos-asyncify.per-file-ignores]\n"jobs.py" = ["blocking-helper"]\n'
        make(project, {"app.py": self.HELPER, "jobs.py": caller, "pyproject.toml": settings})
        assert run("fix").exit_code == 0
        assert (project / "jobs.py").read_text() == caller
        assert "await asyncio.to_thread(tell, order)" in (project / "app.py").read_text()

    LISTING = "from dbos import DBOS\n\n\nasync def show() -> None:\n    print(DBOS.list_workflows())\n"

    def test_the_version_decides_what_is_right(self, project: Path) -> None:
        make(project, {"app.py": self.LISTING})
        assert "print(await DBOS.list_workflows_async())" in run("diff").stdout
        older = run("diff", "--dbos-version", "1.0").stdout
        assert "print(await asyncio.to_thread(DBOS.list_workflows))" in older

    def test_the_version_of_the_project_counts(self, project: Path) -> None:
        make(project, {"app.py": self.LISTING, "requirements.txt": "dbos==1.0.0\n"})
        assert "to_thread" in run("diff").stdout
        assert "to_thread" in run("diff", "--isolated").stdout
        assert "to_thread" not in run("diff", "--dbos-version", "3.4").stdout

    def test_unreadable_requirements_are_told(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "requirements.txt": "dbos==2.5.0\n".encode("utf-16")})
        result = run("check")
        assert result.exit_code == 2
        assert "requirements.txt: is not UTF-8" in result.stderr
        assert SAID in result.stdout

    def test_quiet(self, project: Path) -> None:
        make(project, {"app.py": BY_HAND, "bad.py": BROKEN})
        for command in ("check", "fix"):
            loud, quiet = run(command, "--exit-zero"), run(command, "-q", "--exit-zero")
            assert "with DBOS" in loud.stderr
            assert "with DBOS" not in quiet.stderr
            assert "bad.py:3:11: DBA900 invalid syntax" in quiet.stderr

    def test_output_file(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        patch = run("diff").stdout
        result = run("diff", "-o", "out.patch")
        assert result.stdout == ""
        assert (project / "out.patch").read_text() == patch
        run("check", "--output-file", "out.txt")
        assert (project / "out.txt").read_text() == f"app.py:6:5: {SAID}\n"

    def test_an_output_file_that_cannot_be_written(self, project: Path) -> None:
        make(project, {"app.py": WRONG})
        result = run("fix", "-o", Path("nowhere") / "out.txt")
        assert result.exit_code == 2
        assert "cannot be written: No such file or directory" in result.stderr
        assert "Traceback" not in result.stderr
        assert (project / "app.py").read_text() == WRONG

    def test_a_mistake_leaves_the_output_file_alone(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "out.txt": "kept"})
        assert run("check", "-o", "out.txt", "--select", "zzz").exit_code == 2
        assert (project / "out.txt").read_text() == "kept"


class TestConfiguration:
    IGNORED = '[tool.dbos-asyncify]\nignore = ["DBA101"]\n'

    def test_is_read_from_the_project(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "pyproject.toml": self.IGNORED})
        assert run("check").exit_code == 0
        assert run("check", "--isolated").exit_code == 1
        assert run("check", "--ignore", "DBA102").exit_code == 1

    def test_the_project_is_that_of_the_paths(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        make(project, {"a/pyproject.toml": self.IGNORED, "a/app.py": WRONG, "b/pyproject.toml": "", "b/app.py": WRONG})
        assert run("check", "a").exit_code == 0
        assert run("check", "b").exit_code == 1
        monkeypatch.chdir(project / "a")
        assert run("check", project / "b").exit_code == 1

    def test_another_file(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "other.toml": self.IGNORED})
        assert run("check", "--config", "other.toml").exit_code == 0
        assert run("check").exit_code == 1
        result = run("check", "--config", "gone.toml")
        assert result.exit_code == 2
        assert "gone.toml" in result.stderr

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[project]\nname = \n", "pyproject.toml:2: is not valid TOML"),
            ("[tool.dbos-asyncify]\n\nselct = []\n", "3: unknown key `selct` in [tool.dbos-asyncify]: did you mean"),
            ('[tool.dbos-asyncify]\nselect = ["DBA999"]\n', "pyproject.toml:2: unknown rule `DBA999`"),
        ],
    )  # fmt: skip
    def test_a_broken_file(self, project: Path, text: str, message: str) -> None:
        make(project, {"app.py": WRONG, "pyproject.toml": text})
        result = run("fix")
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
        assert (project / "app.py").read_text() == WRONG

    def test_per_file_ignores(self, project: Path) -> None:
        text = '[tool.dbos-asyncify.per-file-ignores]\n"tests/*" = ["DBA101"]\n'
        make(project, {"app.py": WRONG, "tests/app.py": WRONG, "pyproject.toml": text})
        assert run("check", "--output-format", "concise").stdout == f"app.py:6:5: {SAID}\n"
