"""What the tool says about running workflows; tests/runtime asks a real DBOS whether it is so."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path

import pytest
from rich.console import Console

from dbos_asyncify.deployment import ways
from dbos_asyncify.findings import History, Impact, Safety
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.report.impact import impact as report
from dbos_asyncify.source import from_bytes
from fixture_cases import Case, cases

ROOT = Path("/project").absolute()
HEAD = """
import asyncio
import time
from dbos import DBOS, DBOSClient
"""
SAME, MAY_DIFFER, DIFFERS = History.SAME, History.MAY_DIFFER, History.DIFFERS


def impact(text: str = "", *, unsafe: bool = False, version: str | None = None, **files: str) -> Impact:
    """The impact of the fixes of a project: of `app.py`, which holds `text`, and the other files."""
    files = {"app": text, **files}
    sources = [from_bytes(ROOT / f"{name}.py", (HEAD + content).encode()) for name, content in files.items()]
    options = Options(unsafe_fixes=unsafe, dbos_version=version)
    result = analyse(sources, [source.path for source in sources], ROOT, options)
    assert result.findings
    assert not result.problems
    return result.impact


def told(found: Impact) -> dict[str, tuple[bool, History]]:
    """Of each workflow whether its source changes, and what it records."""
    return {workflow.name: (workflow.changes_source, workflow.history) for workflow in found.workflows}


class TestWho:
    def test_source_changes_and_source_stays(self) -> None:
        found = impact("""
@DBOS.workflow()
async def changes():
    DBOS.sleep(1)

@DBOS.workflow()
async def stays():
    await DBOS.sleep_async(1)
""")
        assert told(found) == {"changes": (True, SAME)}
        assert found.new_version is True

    @pytest.mark.parametrize("version", ["2.9.0", "2.31.1", "3.4.0"])
    def test_no_workflow_is_concerned(self, version: str) -> None:
        found = impact("async def main():\n    DBOS.sleep(1)\n", version=version)
        assert found.workflows == ()
        assert ways(found) == ()

    def test_through_functions_of_other_files(self) -> None:
        found = impact(
            """
from mail import notify
@DBOS.workflow()
async def order():
    await notify()
""",
            mail="""
from events import tell
async def notify():
    await tell()
""",
            events="""
async def tell():
    DBOS.set_event("k", 1)
""",
        )
        assert told(found) == {"order": (False, SAME)}
        assert [(place.path.name, place.text) for place in found.workflows[0].through] == [("events.py", "tell")]
        assert found.new_version is False

    @pytest.mark.parametrize(
        "use",
        [
            "await asyncio.gather(tell(), tell())",
            "task = asyncio.create_task(tell()); await task",
            "await Teller().tell()",
            "await DBOS.run_step_async(None, tell)",
            "async with Telling(): pass",
            "[await Teller().tell() for _ in range(2)]",
        ],
    )
    def test_ways_to_run_it(self, use: str) -> None:
        found = impact(f"""
async def tell():
    DBOS.get_event("a", "k")

class Teller:
    async def tell(self):
        await tell()

class Telling:
    async def __aenter__(self):
        await tell()
    async def __aexit__(self, *args): ...

@DBOS.workflow()
async def order():
    {use}
""")
        assert told(found) == {"order": (False, SAME)}
        assert [place.text for place in found.workflows[0].through] == ["tell"]

    def test_what_steps_run_is_not_recorded(self) -> None:
        found = impact(
            """
async def fetch():
    time.sleep(1)

@DBOS.step()
async def load():
    await fetch()

@DBOS.workflow()
async def order():
    await load()
""",
            unsafe=True,
        )
        assert told(found) == {"order": (False, SAME)}
        assert "not recorded" in found.workflows[0].reasons[0].text

    def test_children_are_told_by_themselves(self) -> None:
        found = impact(
            """
@DBOS.workflow()
async def child():
    time.sleep(1)

@DBOS.workflow()
async def parent():
    await child()
    await DBOS.start_workflow_async(child)
""",
            unsafe=True,
        )
        assert told(found) == {"child": (True, DIFFERS)}

    def test_forms_of_workflows(self) -> None:
        found = impact("""
class Shop:
    @DBOS.workflow()
    async def sell(self):
        DBOS.sleep(1)

    @classmethod
    @DBOS.workflow()
    async def close(cls):
        DBOS.sleep(1)

async def plain():
    DBOS.sleep(1)
registered = DBOS.workflow()(plain)

@DBOS.workflow()
def synchronous():
    async def inside():
        DBOS.sleep(1)
    asyncio.run(inside())
""")
        assert told(found) == dict.fromkeys(("Shop.sell", "Shop.close", "plain", "synchronous"), (True, SAME))

    def test_a_nested_workflow_may_be_too_late_for_the_version(self) -> None:
        found = impact("""
async def main():
    @DBOS.workflow()
    async def greet():
        DBOS.sleep(1)
    await greet()
""")
        assert told(found) == {"main.<locals>.greet": (True, SAME)}
        assert found.new_version is None

    def test_a_comment_is_source_too(self) -> None:
        found = impact("""
@DBOS.workflow()
async def order():
    await DBOS.sleep_async(1)  # noqa: DBA101
""")
        assert told(found) == {"order": (True, SAME)}

    @pytest.mark.parametrize("nested", [True, False])
    def test_sequences_that_become_workflows(self, nested: bool) -> None:
        sequence = """
@DBOS.step()
async def weigh(parcel): ...

async def pack(parcel):
    await weigh(parcel)
    await weigh(parcel)
"""
        text = """
@DBOS.workflow()
async def order():
    await asyncio.gather(pack("a"), pack("b"))
"""
        if nested:
            step, sequence = sequence.split("\n\n")
            text = step + text.replace("order():", "order():" + textwrap.indent("\n" + sequence, "    "))
        else:
            text = sequence + text
        found = impact(text, unsafe=True)
        assert told(found) == {"order": (nested, DIFFERS)}
        assert [place.text for place in found.new_workflows] == ["pack"]
        assert found.new_version is True

    def test_imports_and_annotations_outside(self) -> None:
        found = impact("""
from dbos import WorkflowHandle
class Job:
    handle: WorkflowHandle[int]

@DBOS.workflow()
async def work():
    await asyncio.sleep(0)

async def start(job: Job):
    job.handle = DBOS.start_workflow(work)
""")
        assert found.workflows == ()


class TestSteps:
    """Whether the same steps are recorded."""

    def test_only_applied_fixes_count(self) -> None:
        text = """
@DBOS.workflow()
async def order():
    time.sleep(1)
    DBOS.set_event("k", 1)
"""
        assert told(impact(text)) == {"order": (True, SAME)}
        assert told(impact(text, unsafe=True)) == {"order": (True, DIFFERS)}

    def test_the_place_is_told(self) -> None:
        found = impact("@DBOS.workflow()\nasync def order():\n    time.sleep(1)\n", unsafe=True)
        (reason,) = found.workflows[0].reasons
        assert (reason.path, reason.line) == (ROOT / "app.py", 7)
        assert "DBOS.sleep_async" in reason.text

    def test_a_helper_that_stays_as_it_is(self) -> None:
        """It would get other steps as a coroutine function: it is called in a thread."""
        found = impact(
            """
def pause():
    time.sleep(1)
    DBOS.set_event("k", 1)

@DBOS.workflow()
async def order():
    pause()
""",
            unsafe=True,
        )
        assert told(found) == {"order": (True, SAME)}

    @pytest.mark.parametrize(
        ("line", "history"),
        [
            ("tidy()", DIFFERS),
            ("DBOS.sleep_async(1)", DIFFERS),
            ("await asyncio.to_thread(tidy)", DIFFERS),
            ("await asyncio.to_thread(plain)", MAY_DIFFER),
        ],
    )
    def test_what_never_ran(self, line: str, history: History) -> None:
        found = impact(
            f"""
@DBOS.step()
async def tidy(): ...
async def plain(): ...

@DBOS.workflow()
async def order():
    {line}
""",
            unsafe=True,
        )
        assert told(found) == {"order": (True, history)}

    def test_branches_beside_each_other(self) -> None:
        text = """
async def both(name):
    DBOS.set_event(name, 1)
    DBOS.set_event(name, 2)

@DBOS.workflow()
async def order():
    await asyncio.gather(both("a"), both("b"))
"""
        assert told(impact(text, unsafe=True)) == {"order": (False, MAY_DIFFER)}

    def test_a_lost_update_is_no_step(self) -> None:
        found = impact(
            """
class Total:
    value = 0

@DBOS.workflow()
async def order(total: Total):
    total.value += DBOS.recv()
""",
            unsafe=True,
        )
        assert told(found) == {"order": (True, SAME)}

    @pytest.mark.parametrize(("version", "history"), [("2.9.0", MAY_DIFFER), ("2.10.0", SAME)])
    def test_one_step_each_beside_others(self, version: str, history: History) -> None:
        text = """
async def one(name):
    DBOS.set_event(name, 1)

@DBOS.workflow()
async def order():
    await asyncio.gather(one("a"), one("b"))
"""
        assert told(impact(text, unsafe=True, version=version)) == {"order": (False, history)}

    @pytest.mark.parametrize("call", ["DBOS.resume_workflow('a')", "DBOS.fork_workflow('a', 1)"])
    @pytest.mark.parametrize("version", ["2.9.0", "2.10.0"])
    def test_forms_that_ask_once_more(self, call: str, version: str) -> None:
        """Before dbos 2.10 the asynchronous forms do, so that the call goes to a thread there."""
        text = f"@DBOS.workflow()\nasync def order():\n    {call}\n"
        assert told(impact(text, version=version)) == {"order": (True, SAME)}

    def test_a_client_records_nothing(self) -> None:
        text = """
@DBOS.workflow()
async def order(client: DBOSClient):
    client.resume_workflow("a")
"""
        assert told(impact(text, version="2.9.0")) == {"order": (True, SAME)}

    def test_those_that_differ_come_first(self) -> None:
        found = impact(
            """
@DBOS.workflow()
async def same():
    DBOS.sleep(1)

@DBOS.workflow()
async def other():
    time.sleep(1)
""",
            unsafe=True,
        )
        assert list(told(found)) == ["other", "same"]
        assert not found.same_steps


class TestDeployment:
    SAME_STEPS = "@DBOS.workflow()\nasync def order():\n    DBOS.sleep(1)\n"
    OTHER_STEPS = SAME_STEPS.replace("DBOS.sleep(1)", "time.sleep(1)")
    HELPER = """
async def helper():
    {line}
@DBOS.workflow()
async def order():
    await helper()
"""

    @pytest.mark.parametrize(
        ("text", "version", "expected"),
        [
            (SAME_STEPS, "3.4.0", "drain, blue-green, pin, auto-upgrade"),
            (SAME_STEPS, "3.3.0", "drain, blue-green, pin"),
            (OTHER_STEPS, "3.4.0", "drain, blue-green, patch, fork"),
            (OTHER_STEPS, "2.6.0", "drain, blue-green, fork"),
            (OTHER_STEPS, "0.26.0", "drain, blue-green"),
            (HELPER.format(line="DBOS.sleep(1)"), "3.4.0", "deploy"),
            (HELPER.format(line="time.sleep(1)"), "3.4.0", "new version, drain, blue-green, patch, fork"),
        ],
    )
    def test_what_fits(self, text: str, version: str, expected: str) -> None:
        assert ", ".join(way.name for way in ways(impact(text, unsafe=True, version=version))) == expected

    def test_where_the_version_is_set(self) -> None:
        old, new = (ways(impact(self.SAME_STEPS, version=version))[2].text for version in ("1.8.0", "1.14.0"))
        assert "DBOS__APPVERSION" in old
        assert "application_version" in new

    def test_what_patching_needs(self) -> None:
        old, new = (
            next(way.text for way in ways(impact(self.OTHER_STEPS, unsafe=True, version=v)) if way.name == "patch")
            for v in ("3.3.0", "3.4.0")
        )
        assert "enable_patching" in old
        assert "enable_patching" not in new


class TestReport:
    def said(self, found: Impact) -> list[str]:
        console = Console(file=io.StringIO(), width=40)
        report(console, found, ROOT)
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()

    def test_nothing(self) -> None:
        assert self.said(Impact((3, 4, 0))) == []

    def test_lines(self) -> None:
        found = impact(
            """
@DBOS.workflow()
async def order():
    time.sleep(1)
    time.sleep(2)
@DBOS.workflow()
async def greet():
    DBOS.sleep(1)
""",
            unsafe=True,
            version="3.4.0",
        )
        assert self.said(found)[:6] == [
            "Impact on running workflows (dbos 3.4.0):",
            "  app.py:7 `order`: its source changes, other steps",
            "    app.py:8, 9: `DBOS.sleep_async` is recorded, `time.sleep` was not: one step more",
            "  app.py:11 `greet`: its source changes, same steps",
            "Same steps: the new calls record the same steps, in the same order.",
            "The default application version changes: runs in flight wait for a process with the old code.",
        ]

    def test_many_are_counted(self) -> None:
        workflows = (f"@DBOS.workflow()\nasync def flow_{n}():\n    DBOS.sleep(1)\n" for n in range(30))
        said = self.said(impact("".join(workflows)))
        assert sum("its source changes" in line for line in said) == 12
        assert "  and 18 more with the same steps" in said


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_an_unsafe_fix_says_what_it_does_to_the_steps(case: Case) -> None:
    """All but those that are unsafe because an update may be lost."""
    result, _ = case.migrated()
    unsafe = {finding.fix for finding in result.findings if finding.fix and finding.safety is Safety.UNSAFE}
    silent = [fix.title for fix in unsafe if not fix.step_changes]
    assert bool(silent) == (case.folder.name == "updates-of-what-is-shared"), silent
