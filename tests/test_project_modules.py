"""Which file an import means."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbos_asyncify.project.modules import ModuleMap

ROOT = Path("/project").absolute()

PLAIN = ["app/__init__.py", "app/db.py", "app/api/__init__.py", "app/api/routes.py", "main.py", "tool.py"]
SRC = ["src/app/__init__.py", "src/app/db.py", "tests/test_db.py", "tests/helpers.py", "setup.py"]
SEVERAL = [
    "packages/one/src/one/__init__.py",
    "packages/one/src/one/db.py",
    "packages/one/tests/conftest.py",
    "packages/two/two/__init__.py",
    "packages/two/two/main.py",
    "packages/two/tests/conftest.py",
    "packages/two/tests/test_main.py",
]
NAMED = [
    "one/one/__init__.py",
    "one/one/db.py",
    "two/two/__init__.py",
    "two/two/main.py",
    "tests/one/test_db.py",
    "tests/test_one.py",
]
NAMESPACE = ["acme/db/__init__.py", "acme/db/models.py", "acme/web/routes.py", "main.py"]
SCRIPTS = ["scripts/run.py", "scripts/common.py", "app/__init__.py", "app/common.py", "jobs/run.py", "jobs/common.py"]
STDLIB = ["logging.py", "app/__init__.py", "app/queue.py", "app/main.py", "dbos.py"]
BOTH = ["app/__init__.py", "app/db/__init__.py", "app/db.py", "app.py", "x.py/y.py", "main.py"]


@pytest.mark.parametrize(
    ("files", "importer", "line", "meant"),
    [
        # absolute
        (PLAIN, "main.py", "app", "app/__init__.py"),
        (PLAIN, "main.py", "app.db", "app/db.py"),
        (PLAIN, "main.py", "app.api.routes", "app/api/routes.py"),
        (PLAIN, "app/api/routes.py", "app.db", "app/db.py"),
        (PLAIN, "app/api/routes.py", "tool", "tool.py"),
        (PLAIN, "main.py", "app.gone", None),
        (PLAIN, "main.py", "app.db.table", None),
        (PLAIN, "main.py", "db", None),
        (PLAIN, "app/api/routes.py", "db", None),
        (PLAIN, "app/api/routes.py", "routes", None),
        # relative
        (PLAIN, "app/api/routes.py", ".", "app/api/__init__.py"),
        (PLAIN, "app/api/routes.py", "..", "app/__init__.py"),
        (PLAIN, "app/api/routes.py", "..db", "app/db.py"),
        (PLAIN, "app/api/__init__.py", ".routes", "app/api/routes.py"),
        (PLAIN, "app/api/__init__.py", "..db", "app/db.py"),
        (PLAIN, "app/db.py", ".api.routes", "app/api/routes.py"),
        (PLAIN, "app/db.py", ".gone", None),
        (PLAIN, "main.py", ".....db", None),
        # src
        (SRC, "tests/test_db.py", "app.db", "src/app/db.py"),
        (SRC, "src/app/db.py", "app", "src/app/__init__.py"),
        (SRC, "src/app/db.py", ".", "src/app/__init__.py"),
        (SRC, "tests/test_db.py", "helpers", "tests/helpers.py"),
        (SRC, "tests/test_db.py", "tests.helpers", "tests/helpers.py"),
        # several packages in one repository
        (SEVERAL, "packages/one/tests/conftest.py", "one.db", "packages/one/src/one/db.py"),
        (SEVERAL, "packages/two/two/main.py", "one.db", "packages/one/src/one/db.py"),
        (SEVERAL, "packages/two/tests/test_main.py", "two.main", "packages/two/two/main.py"),
        (SEVERAL, "packages/two/tests/test_main.py", "conftest", "packages/two/tests/conftest.py"),
        (SEVERAL, "packages/two/two/main.py", "conftest", None),
        (NAMED, "two/two/main.py", "one.db", "one/one/db.py"),
        (NAMED, "tests/test_one.py", "one.db", "one/one/db.py"),
        (NAMED, "tests/test_one.py", "two.main", "two/two/main.py"),
        # namespace packages
        (NAMESPACE, "main.py", "acme.db.models", "acme/db/models.py"),
        (NAMESPACE, "main.py", "acme.web.routes", "acme/web/routes.py"),
        (NAMESPACE, "acme/web/routes.py", "acme.db", "acme/db/__init__.py"),
        (NAMESPACE, "acme/web/routes.py", "..db.models", "acme/db/models.py"),
        (NAMESPACE, "acme/db/models.py", "acme.web.routes", "acme/web/routes.py"),
        # a script finds what lies beside it, a module of a package does not
        (SCRIPTS, "scripts/run.py", "common", "scripts/common.py"),
        (SCRIPTS, "jobs/run.py", "common", "jobs/common.py"),
        (SCRIPTS, "scripts/run.py", "app.common", "app/common.py"),
        (SCRIPTS, "app/__init__.py", "common", None),
        # names of the standard library and of dbos are theirs, unless a dot says otherwise
        (STDLIB, "app/main.py", "logging", None),
        (STDLIB, "app/main.py", "queue", None),
        (STDLIB, "app/main.py", "dbos", None),
        (STDLIB, "app/main.py", ".queue", "app/queue.py"),
        (STDLIB, "app/main.py", "app.queue", "app/queue.py"),
        # a package wins over a module of its name, a folder called like a file is none
        (BOTH, "main.py", "app", "app/__init__.py"),
        (BOTH, "main.py", "app.db", "app/db/__init__.py"),
        (BOTH, "main.py", "x", None),
    ],
)  # fmt: skip
def test_resolve(files: list[str], importer: str, line: str, meant: str | None) -> None:
    modules = ModuleMap([ROOT / name for name in files], ROOT)
    number = modules.number(ROOT / importer)
    assert number is not None
    name = line.lstrip(".")
    found = modules.resolve(number, name, len(line) - len(name))
    assert (None if found is None else modules.paths[found]) == (ROOT / meant if meant else None)


def test_a_namespace_package_is_a_module_without_a_file() -> None:
    modules = ModuleMap([ROOT / name for name in NAMESPACE], ROOT)
    main = modules.number(ROOT / "main.py")
    assert main is not None
    found = modules.resolve(main, "acme", 0)
    assert found is not None
    assert modules.paths[found] == ROOT / "acme"
    assert not modules.is_file(found)
    assert modules.resolve(main, "acme", 0) == found
    web = modules.child(found, "web")
    assert web is not None
    routes = modules.child(web, "routes")
    assert routes is not None
    assert modules.is_file(routes)
    assert modules.child(routes, "anything") is None


def test_a_module_has_no_submodules_and_a_package_has_its_own() -> None:
    modules = ModuleMap([ROOT / name for name in PLAIN], ROOT)
    app, tool = modules.number(ROOT / "app/__init__.py"), modules.number(ROOT / "tool.py")
    assert app is not None
    assert tool is not None
    assert modules.child(tool, "db") is None
    assert modules.child(app, "db") == modules.number(ROOT / "app/db.py")
    assert modules.child(app, "main") is None


def test_a_name_that_two_places_have_is_not_guessed() -> None:
    files = ["a/lib/thing.py", "b/lib/thing.py", "c/main.py"]
    modules = ModuleMap([ROOT / name for name in files], ROOT)
    assert modules.resolve(2, "thing", 0) is None


def test_the_root_may_be_a_package_itself() -> None:
    modules = ModuleMap([ROOT / "__init__.py", ROOT / "db.py", ROOT / "web.py"], ROOT)
    assert modules.resolve(2, "db", 1) == 1
    assert modules.resolve(2, "", 1) == 0
    assert modules.resolve(2, "project.db", 0) == 1
    assert modules.resolve(2, "gone", 0) is None


def test_files_outside_are_not_known() -> None:
    modules = ModuleMap([ROOT / "a.py"], ROOT)
    assert modules.number(ROOT / "b.py") is None


@pytest.mark.parametrize(
    ("files", "imports", "file", "name"),
    [
        (PLAIN, [], "app/api/routes.py", "app.api.routes"),
        (PLAIN, [], "app/__init__.py", "app"),
        (PLAIN, [], "main.py", "main"),
        (SRC, [("tests/test_db.py", "app.db")], "src/app/db.py", "app.db"),
        (SRC, [], "src/app/__init__.py", "app"),
        (SRC, [("tests/test_db.py", "src.app.db")], "src/app/db.py", "src.app.db"),
        (SRC, [("tests/test_db.py", "src.app.db"), ("setup.py", "app.db")], "src/app/db.py", "app.db"),
        (SRC, [], "tests/helpers.py", "helpers"),
        (SRC, [("tests/test_db.py", "tests.helpers")], "tests/test_db.py", "tests.test_db"),
        (SEVERAL, [], "packages/one/src/one/db.py", "one.db"),
        (SEVERAL, [("packages/two/two/main.py", "one.db")], "packages/one/src/one/db.py", "one.db"),
        (NAMED, [("two/two/main.py", "one.db")], "one/one/__init__.py", "one"),
        (NAMED, [("two/two/main.py", "one.db")], "two/two/main.py", "two.main"),
        (NAMESPACE, [], "acme/db/models.py", "db.models"),
        (NAMESPACE, [("main.py", "acme.db")], "acme/db/models.py", "acme.db.models"),
        (NAMESPACE, [("main.py", "acme.db")], "acme/web/routes.py", "acme.web.routes"),
        (NAMESPACE, [("acme/web/routes.py", ".forms")], "acme/web/routes.py", "web.routes"),
        (SCRIPTS, [], "jobs/run.py", "run"),
        (SCRIPTS, [("main.py", "jobs.run")], "jobs/run.py", "jobs.run"),
        (["__init__.py", "db.py"], [], "db.py", "project.db"),
        (["app/__init__.py", "app/tools/run.py"], [], "app/tools/run.py", "app.tools.run"),
    ],
)  # fmt: skip
def test_name(files: list[str], imports: list[tuple[str, str]], file: str, name: str) -> None:
    files = [*files, *(importer for importer, _ in imports if importer not in files)]
    modules = ModuleMap([ROOT / path for path in files], ROOT)
    for importer, line in imports:
        number = modules.number(ROOT / importer)
        assert number is not None
        modules.resolve(number, line.lstrip("."), len(line) - len(line.lstrip(".")))
    number = modules.number(ROOT / file)
    assert number is not None
    assert modules.name(number) == name
