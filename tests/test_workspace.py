"""Which files take part in a run, and which of them may be changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import WRONG, contents, make, run
from dbos_asyncify.config import Settings
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.workspace import open_workspace

DB = """\
from dbos import DBOS


@DBOS.step()
def load(key: str) -> str:
    return key
"""
CALL = "\n\nasync def page(key: str) -> str:\n    return load(key)\n"
AWAITED = "\n\nasync def page(key: str) -> str:\n    return await asyncio.to_thread(load, key)\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def taking_part(project: Path, *given: str) -> set[str]:
    workspace = open_workspace([project / name for name in given or ("",)], Settings())
    assert not workspace.problems
    return {source.path.relative_to(project).as_posix() for source in workspace.sources}


class TestTakingPart:
    def test_paths_without_a_common_folder_are_all_that_is_read(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(project, {"a/app.py": DB, "b.py": DB})
        monkeypatch.setattr("dbos_asyncify.workspace.project_root", lambda paths: Path(project.anchor))
        assert open_workspace([project / "a"], Settings()).files == (project / "a" / "app.py",)

    def test_whoever_imports_dbos_through_however_many_modules(self, project: Path) -> None:
        make(
            project,
            {
                "app/__init__.py": "",
                "app/db.py": DB,
                "app/service.py": "from .db import load\n",
                "app/api/__init__.py": "from app import service\n",
                "app/api/routes.py": "from app.api import service\n",
                "main.py": "import app.api.routes\n",
            },
        )
        assert taking_part(project) == set(contents(project)) - {"pyproject.toml", "app/__init__.py"}

    @pytest.mark.parametrize(
        "text",
        [
            "class DB:\n    def sleep(self) -> None: ...\n",
            "from sqlalchemy import create_engine\n",
            "import database as db\n",
            "from app import nothing\n",
            "load = 'db.load'\n# app.db\n",
            "# as dbos does\nqueue = 'DBOS'\n",
        ],
    )
    def test_look_alikes_do_not(self, project: Path, text: str) -> None:
        make(project, {"app/db.py": DB, "app/other.py": text, "alone.py": text})
        assert taking_part(project) == {"app/db.py"}

    def test_only_what_imports_connect_with_the_paths(self, project: Path) -> None:
        make(
            project,
            {
                "a/db.py": DB,
                "a/routes.py": "from a.db import load\n",
                "a/other.py": "from a.db import load\n",
                "b/db.py": DB,
            },
        )
        assert taking_part(project, "a/routes.py") == {"a/db.py", "a/routes.py", "a/other.py"}
        assert taking_part(project, "b") == {"b/db.py"}

    @pytest.mark.parametrize(
        "line",
        ["import db", "from db import *", "from db import load as fetch", "import db as d, os", "if 1: import db"],
    )
    def test_forms_of_import(self, project: Path, line: str) -> None:
        make(project, {"db.py": DB, "routes.py": line + "\n"})
        assert taking_part(project) == {"db.py", "routes.py"}

    def test_dbos_itself_does_not(self, project: Path) -> None:
        library = {
            f"dbos/{name}.py": DB + "from ._dbos import *\n" for name in ("__init__", "_dbos", "_sys_db", "_core")
        }
        make(project, {**library, "dbos/cli/__init__.py": DB, "tests/test_steps.py": DB, "app/dbos/_dbos.py": DB})
        assert taking_part(project) == {"tests/test_steps.py", "app/dbos/_dbos.py"}
        assert taking_part(project, "dbos") == set()

    def test_circles(self, project: Path) -> None:
        make(
            project,
            {
                "a.py": "import b\n",
                "b.py": "import c\nimport a\n",
                "c.py": "import a\nfrom dbos import DBOS\n",
                "d.py": "import d\n",
            },
        )
        assert taking_part(project) == {"a.py", "b.py", "c.py"}

    def test_nothing_there(self, project: Path) -> None:
        assert taking_part(project) == set()
        make(project, {"a.py": "import b\n", "b.py": "import a\n"})
        assert taking_part(project) == set()

    def test_problems_of_neighbours_are_not_told(self, project: Path) -> None:
        make(project, {"app.py": WRONG, "bad.py": b"import dbos, app\n\xff\n"})
        assert taking_part(project, "app.py") == {"app.py"}
        workspace = open_workspace([project], Settings())
        assert [problem.path.name for problem in workspace.problems] == ["bad.py"]


class TestNeighbours:
    def test_one_file_is_read_with_what_it_imports(self, project: Path) -> None:
        make(project, {"app/db.py": DB, "app/routes.py": "from app.db import load\n" + CALL})
        result = run("fix", "app/routes.py")
        assert result.exit_code == 0
        text = (project / "app" / "routes.py").read_text()
        assert text == "import asyncio\n\nfrom app.db import load\n" + AWAITED

    def test_a_folder_is_read_with_what_lies_beside(self, project: Path) -> None:
        make(project, {"db/__init__.py": DB, "routes/page.py": "from db import load\n" + CALL})
        assert run("fix", "routes").exit_code == 0
        assert "await asyncio.to_thread(load, key)" in (project / "routes" / "page.py").read_text()

    @pytest.mark.parametrize(
        ("line", "call"),
        [
            ("from .db import load", "load"),
            ("from . import db", "db.load"),
            ("import app.db", "app.db.load"),
            ("from app import db as store", "store.load"),
            ("from app.db import *", "load"),
            ("from app.api import load", "load"),
            ("import app.api as api", "api.load"),
        ],
    )
    def test_steps_are_known_however_they_come(self, project: Path, line: str, call: str) -> None:
        make(
            project,
            {
                "app/__init__.py": "",
                "app/db.py": DB,
                "app/api/__init__.py": "from ..db import load\nfrom app import routes\n",
                "app/routes.py": line + CALL.replace("load(", f"{call}("),
            },
        )
        assert run("fix").exit_code == 0
        assert f"await asyncio.to_thread({call}, key)" in (project / "app" / "routes.py").read_text()

    def test_neighbours_are_neither_reported_nor_changed(self, project: Path) -> None:
        make(project, {"a.py": "import b\n" + WRONG, "b.py": WRONG})
        result = run("fix", "a.py")
        assert result.exit_code == 0
        assert "b.py" not in result.stdout + result.stderr
        assert (project / "b.py").read_text() == WRONG
        assert (project / "a.py").read_text() != WRONG

    def test_a_fix_that_needs_other_files_is_left_to_a_person(self, project: Path) -> None:
        files = {
            "a.py": (
                "from dbos import DBOS, WorkflowHandle\n\nfrom b import wait\n\n\n@DBOS.workflow()\n"
                "async def child() -> str:\n    return 'x'\n\n\nasync def go() -> str:\n"
                "    handle = DBOS.start_workflow(child)\n    return await wait(handle)\n"
            ),
            "b.py": (
                "from dbos import WorkflowHandle\n\n\n"
                "async def wait(handle: WorkflowHandle[str]) -> str:\n    return handle.get_result()\n"
            ),
        }
        make(project, files)
        before = contents(project)
        result = run("fix", "a.py")
        assert result.exit_code == 1
        assert "a.py:12:14: DBA101" in result.stderr
        assert f"the fix would also change {project / 'b.py'}: not among the paths given" in result.stderr
        assert contents(project) == before
        assert run("fix").exit_code == 0
        assert "await DBOS.start_workflow_async(child)" in (project / "a.py").read_text()
        assert "return await handle.get_result()" in (project / "b.py").read_text()
        assert run("check").exit_code == 0


class TestWhatElseNamesAHelper:
    """A helper that something other than Python code names, or describes, stays as it is: its call goes to a thread."""

    HELPER = b"from dbos import DBOS\n\n\ndef tell(order):\n    DBOS.send(order, 'shipped')\n"
    CALLER = b"from app.mail import tell\n\n\nasync def ship(order):\n    tell(order)\n"

    def project(self, folder: Path, **files: str) -> Path:
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").touch()
        (folder / "app" / "mail.py").write_bytes(self.HELPER)
        (folder / "app" / "orders.py").write_bytes(self.CALLER)
        for name, text in {"pyproject.toml": "", **files}.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    @pytest.mark.parametrize(
        ("files", "named"),
        [
            ({"pyproject.toml": '[project.scripts]\ntell = "app.mail:tell"\n'}, {"tell"}),
            ({"setup.cfg": "[options.entry_points]\nconsole_scripts =\n    tell = app.mail:tell\n"}, {"tell"}),
            ({"Procfile": "web: gunicorn app.web:create\n"}, {"create"}),
            ({"pyproject.toml": "[project]\nname = 'tell'\n"}, set()),
        ],
    )
    def test_entry_points(self, tmp_path: Path, files: dict[str, str], named: set[str]) -> None:
        assert open_workspace([self.project(tmp_path, **files)], Settings()).entry_points == named

    def test_stubs(self, tmp_path: Path) -> None:
        self.project(tmp_path)
        (tmp_path / "app" / "mail.pyi").write_text("def tell(order: str) -> None: ...\n")
        assert open_workspace([tmp_path], Settings()).stubbed == {tmp_path / "app" / "mail.py"}

    @pytest.mark.parametrize("outside", ["nothing", "entry point", "stub"])
    def test_the_helper_stays(self, tmp_path: Path, outside: str) -> None:
        self.project(tmp_path)
        workspace = open_workspace([tmp_path], Settings())
        options = Options(
            entry_points=frozenset({"tell"}) if outside == "entry point" else frozenset(),
            stubbed=frozenset({tmp_path / "app" / "mail.py"}) if outside == "stub" else frozenset(),
        )
        result = analyse(workspace.sources, workspace.files, workspace.root, options)
        assert {change.path.name for change in result.changes} == {
            "orders.py",
            *(["mail.py"] if outside == "nothing" else []),
        }
