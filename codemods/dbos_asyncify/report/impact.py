"""For people: the running workflows that a change concerns, and the ways to deploy it. One screen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from dbos_asyncify.deployment import ways
from dbos_asyncify.findings import History, Impact, WorkflowImpact
from dbos_asyncify.report.patch import shown

_STEPS = {
    History.SAME: ("same steps", "green"),
    History.MAY_DIFFER: ("steps may differ", "yellow"),
    History.DIFFERS: ("other steps", "red"),
}
_MOST = 12  # workflows that are shown where they record the same steps
_VERSION = {
    True: "The default application version changes: runs in flight wait for a process with the old code.",
    None: "The default application version changes if they are defined before `DBOS.launch()`: then runs in flight "
    "wait for a process with the old code.",
    False: "The default application version stays: the new code takes up runs in flight at once.",
}


def impact(console: Console, found: Impact, base: Path) -> None:
    """The workflows, whether they record the same steps, and what to do; nothing where none is concerned."""
    if not found.workflows:
        return
    release = ".".join(map(str, found.version))
    console.print(Text(f"Impact on running workflows (dbos {release}):", style="bold"), soft_wrap=True)
    same = 0
    for workflow in found.workflows:
        same += workflow.history is History.SAME
        if same <= _MOST:
            _workflow(console, workflow, base)
    if same > _MOST:
        console.print(f"  and {same - _MOST:,} more with the same steps", soft_wrap=True)
    for place in found.new_workflows:
        where = f"{shown(place.path, base)}:{place.line}"
        console.print(Text.assemble("  ", (where, "bold"), f" `{place.text}`: becomes a workflow"), soft_wrap=True)
    unchanged = [workflow for workflow in found.workflows if workflow.history is History.SAME]
    for reason in dict.fromkeys(reason.text for workflow in unchanged for reason in workflow.reasons):
        console.print(f"Same steps: {reason}.", soft_wrap=True)
    console.print(_VERSION[found.new_version], soft_wrap=True)
    for way in ways(found):
        console.print(Text.assemble("  ", (f"{way.name}: ", "bold"), way.text), soft_wrap=True)


def _workflow(console: Console, workflow: WorkflowImpact, base: Path) -> None:
    steps, style = _STEPS[workflow.history]
    through = ", ".join(f"`{place.text}`" for place in workflow.through)
    what = "its source changes" if workflow.changes_source else f"it runs {through}, which changes"
    place = f"{shown(workflow.path, base)}:{workflow.line}"
    line = Text.assemble("  ", (place, "bold"), f" `{workflow.name}`: {what}, ", (steps, style))
    console.print(line, soft_wrap=True)
    if workflow.history is not History.SAME:
        lines: dict[tuple[Path, str], list[str]] = {}
        for reason in workflow.reasons:
            lines.setdefault((reason.path, reason.text), []).append(str(reason.line))
        for (path, reason_text), found in lines.items():
            console.print(Text(f"    {shown(path, base)}:{', '.join(found)}: {reason_text}"), soft_wrap=True)
