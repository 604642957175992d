"""What is installed: one package, its data, one command."""

from __future__ import annotations

import ast
import email
import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dbos_asyncify
from command import environment

ROOT = Path(__file__).parents[1]

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    if importlib.util.find_spec("hatchling"):
        command.append("--no-build-isolation")
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.mark.slow
class TestWheel:
    def test_it_brings_one_name(self, wheel: zipfile.ZipFile) -> None:
        with_info = {name.split("/")[0] for name in wheel.namelist()}
        assert with_info == {"dbos_asyncify", f"dbos_asyncify-{dbos_asyncify.__version__}.dist-info"}

    def test_it_is_whole(self, wheel: zipfile.ZipFile) -> None:
        source = ROOT / "codemods"
        kept = {
            path.relative_to(source).as_posix()
            for path in (source / "dbos_asyncify").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == kept
        assert "dbos_asyncify/py.typed" in kept
        assert any(name.endswith("/catalogue.json") for name in kept)

    def test_metadata(self, wheel: zipfile.ZipFile) -> None:
        info = f"dbos_asyncify-{dbos_asyncify.__version__}.dist-info"
        metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
        assert metadata["Name"] == "dbos-asyncify"
        assert metadata["Version"] == dbos_asyncify.__version__
        assert metadata["Requires-Python"] == ">=3.10"
        assert metadata["License-Expression"] == "MIT"
        assert f"{info}/licenses/LICENSE" in wheel.namelist()
        assert str(metadata.get_payload()).startswith("# dbos-asyncify")
        assert wheel.read(f"{info}/entry_points.txt").decode().split() == [
            "[console_scripts]",
            "dbos-asyncify",
            "=",
            "dbos_asyncify.cli:main",
        ]

    def test_it_runs_from_the_wheel(self, wheel: zipfile.ZipFile, tmp_path: Path) -> None:
        wheel.extractall(tmp_path / "site")
        (tmp_path / "app.py").write_text("from dbos import DBOS\n\n\nasync def f():\n    DBOS.sleep(1)\n")
        command = [sys.executable, "-m", "dbos_asyncify", "diff", "app.py"]
        clean = environment(PYTHONPATH=str(tmp_path / "site"))
        result = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, check=False)
        assert result.returncode == 1
        assert b"+    await DBOS.sleep_async(1)" in result.stdout


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?v?{re.escape(dbos_asyncify.__version__)}\b", text, re.MULTILINE)


def test_what_is_imported_is_required() -> None:
    """Every third-party module that the package imports is one of the dependencies, and the other way round."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named_otherwise = {"ignore-python": "ignore"}
    names = (re.split(r"[^\w-]", requirement)[0] for requirement in project["dependencies"])
    required = {named_otherwise.get(name, name) for name in names}
    imported: set[str] = set()
    for path in (ROOT / "codemods" / "dbos_asyncify").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(str(node.module).split(".")[0])
    assert imported - sys.stdlib_module_names - {"dbos_asyncify", "tomllib"} == required
