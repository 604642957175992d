"""A real DBOS raises at the decorators where DBA114 finds something, and only there."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.source import from_bytes

HEAD = """\
import asyncio
import json
import os

from dbos import AsyncSQLAlchemyDatasource, SQLAlchemyDatasource, error

url = os.environ["APP_DATABASE_URL"]
ds = SQLAlchemyDatasource.create(url)
ads = asyncio.run(AsyncSQLAlchemyDatasource.create(url.replace("sqlite:", "sqlite+aiosqlite:")))
refused = []

"""
TRIAL = """\
try:
{body}
except error.DBOSException:
    refused.append({number})

"""
FUNCTIONS = {
    "def": ["def f(item):", "    return item"],
    "async def": ["async def f(item):", "    return item"],
    "async generator": ["async def f(item):", "    yield item"],
}
DATASOURCES = ["ds", "ads"]
DECORATORS = ["@{}.transaction()", "@{}.transaction", '@{}.transaction(name="f")']
CALLS = ["{}.transaction()(f)", "{}.transaction(f)"]


def module() -> tuple[str, dict[str, int]]:
    """A module that applies every form to every kind of function, and the line of each."""
    lines: dict[str, int] = {}
    text = HEAD
    for form, datasource, kind in product([*DECORATORS, *CALLS], DATASOURCES, FUNCTIONS):
        applied = form.format(datasource)
        body = [applied, *FUNCTIONS[kind]] if form in DECORATORS else [*FUNCTIONS[kind], applied]
        lines[f"{applied} of {kind}"] = text.count("\n") + 2 + body.index(applied)
        text += TRIAL.format(body="\n".join(f"    {line}" for line in body), number=lines[f"{applied} of {kind}"])
    return text + "print(json.dumps(refused))\n", lines


def test_rule_and_dbos_agree(dbos_environment: dict[str, str], tmp_path: Path) -> None:
    text, lines = module()
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(path)], env=dbos_environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    refused = set(json.loads(ran.stdout.splitlines()[-1]))
    result = analyse([from_bytes(path, text.encode())], [path], tmp_path, Options())
    found = {finding.span.line for finding in result.findings if finding.code == "DBA114"}
    assert {name for name, line in lines.items() if line in found} == {
        name for name, line in lines.items() if line in refused
    }
    assert 0 < len(refused) < len(lines)
