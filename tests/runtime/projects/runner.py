"""Runs whole projects on a real DBOS with SQLite: `python -m runtime.projects.runner`, in the folder `tests`.

Reads jobs from stdin and writes reports to stdout, each a line of JSON. A job names the folder of the project, its
modules by their paths, where Python shall look for them, the packages that are its own, how many seconds a call may
take, and the functions that have been called already. DBOS is
one object a process, so every job has a process of its own: a fork of this one, which has imported what is needed.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import traceback
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from dbos import DBOS, SQLAlchemyDatasource
from dbos._dbos import _get_or_create_dbos_registry

from runtime.projects import shortcuts
from runtime.projects.drive import Called, Driver, Entry, entries, in_order
from runtime.projects.probe import Probe
from runtime.projects.stand_ins import Finder

QUEUE = re.compile(r"""retrieve_queue(?:_async)?\(["']([\w-]+)["']""")
VARIABLE = re.compile(r"""(?:environ\[|environ\.get\(|getenv\()["'](\w+)["']""")


class Watchdog:
    """Ends the process when one call takes too long, and tells where the loops stand."""

    def __init__(self, report: dict[str, Any], target: Path, probe: Probe, limit: float) -> None:
        self._report, self._target, self._probe = report, target, probe
        self._limit = limit
        self._timer = threading.Timer(limit, self.stop)

    def start(self, entry: Entry) -> None:
        self._timer = threading.Timer(self._limit, self._bite, [entry])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def _bite(self, entry: Entry) -> None:
        called = Called(entry.name, entry.asynchronous, "hung")
        for frame in sys._current_frames().values():
            self._probe.note("hangs", "", frame)
        called.add(self._probe.take())
        self._report["calls"].append(asdict(called))
        end(self._report, self._target)


def end(report: dict[str, Any], target: Path) -> None:
    target.write_text(json.dumps(report), encoding="utf-8")
    os._exit(0)


def load(job: dict[str, Any], report: dict[str, Any]) -> dict[str, ModuleType]:
    modules: dict[str, ModuleType] = {}
    for name in job["modules"]:
        try:
            modules[name] = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told
            report["not_imported"][name] = f"{type(error).__name__}: {error}"
    return modules


def run(job: dict[str, Any], target: Path) -> None:
    """Run a job in this process, and end it."""
    folder = Path(job["folder"])
    os.chdir(folder)
    report: dict[str, Any] = {"not_imported": {}, "calls": [], "application_version": ""}
    sys.stdout = sys.stderr
    for root in job["roots"]:
        sys.path.insert(0, str(folder / root))
    texts = {name: (folder / path).read_text(encoding="utf-8") for name, path in job["modules"].items()}
    for text in texts.values():
        for variable in VARIABLE.findall(text):
            os.environ.setdefault(variable, "sqlite:///x" if "U" in variable else "1")
    sys.meta_path.append(Finder(frozenset(job["packages"])))
    probe, clock = Probe(folder), shortcuts.Clock()
    shortcuts.install(folder, clock)
    probe.install()
    DBOS(config=shortcuts.config(folder))
    DBOS.launch()
    modules = load(job, report)
    report["application_version"] = _get_or_create_dbos_registry().compute_app_version("shop")
    gc.collect()
    gc.freeze()  # so that looking for forgotten coroutines after every call is quick
    for queue in QUEUE.findall("".join(texts.values())):
        DBOS.register_queue(queue)
    driver = Driver(modules, probe, clock)
    watchdog = Watchdog(report, target, probe, job["limit"])
    for entry in in_order(entry for name in modules for entry in entries(name, texts[name])):
        if entry.name not in job["done"]:
            watchdog.start(entry)
            called = driver.call(entry)
            watchdog.stop()
            report["calls"].append(asdict(called))
    end(report, target)


def migrated_databases(folder: Path) -> None:
    """Make the databases once; every project gets copies."""
    child = os.fork()
    if not child:
        shortcuts.install(folder, shortcuts.Clock())
        SQLAlchemyDatasource.create("")
        DBOS(config=shortcuts.config(folder))
        DBOS.launch()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as name:
        templates = Path(name, "databases")
        templates.mkdir()
        migrated_databases(templates)
        target = Path(name, "report")
        for line in sys.stdin:
            job = json.loads(line)
            for database in templates.iterdir():
                shutil.copy(database, job["folder"])
            child = os.fork()
            if not child:
                try:
                    run(job, target)
                finally:
                    traceback.print_exc()
                    os._exit(1)
            os.waitpid(child, 0)
            text = target.read_text(encoding="utf-8") if target.exists() else "null"
            target.unlink(missing_ok=True)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
