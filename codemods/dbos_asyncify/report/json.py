"""For programs: everything that a run found out, in one JSON object. Fields that ruff has go by its names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dbos_asyncify.deployment import ways
from dbos_asyncify.findings import Finding, Impact, Place, Problem, Result, WorkflowImpact
from dbos_asyncify.source import Span


def document(result: Result, problems: Iterable[Problem]) -> str:
    """The findings, what went wrong, and what the changes mean for running workflows."""
    content = {
        "findings": [_finding(result, finding) for finding in result.findings],
        "problems": [_problem(problem) for problem in problems],
        "impact": _impact(result.impact),
    }
    return json.dumps(content, indent=2) + "\n"


def _finding(result: Result, finding: Finding) -> dict[str, Any]:
    start, end = _locations(finding.span)
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "filename": _filename(finding.path),
        "location": start,
        "end_location": end,
        "chain": [_place(place) for place in finding.chain],
        "reason": finding.reason or None,
        "fix": _fix(result, finding),
    }


def _fix(result: Result, finding: Finding) -> dict[str, Any] | None:
    fix = finding.fix
    if fix is None:
        return None
    edits = []
    for replacement in result.replacements[fix]:
        start, end = _locations(replacement.span)
        content, name = replacement.content, _filename(replacement.path)
        edits.append({"content": content, "filename": name, "location": start, "end_location": end})
    return {
        "applicability": fix.safety.value,
        "message": fix.title,
        "caution": fix.caution or None,
        "applied": fix in result.applied,
        "edits": edits,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    location = {"row": problem.line, "column": problem.column} if problem.line else None
    name = _filename(problem.path)
    return {"code": problem.code or None, "message": problem.message, "filename": name, "location": location}


def _impact(impact: Impact) -> dict[str, Any]:
    return {
        "dbos_version": ".".join(map(str, impact.version)),
        "new_application_version": impact.new_version,
        "workflows": [_workflow(workflow) for workflow in impact.workflows],
        "new_workflows": [_place(place) for place in impact.new_workflows],
        "deployment": [{"name": way.name, "message": way.text} for way in ways(impact)],
    }


def _workflow(workflow: WorkflowImpact) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "filename": _filename(workflow.path),
        "row": workflow.line,
        "source_changes": workflow.changes_source,
        "steps": workflow.history.value,
        "reasons": [_place(place) for place in workflow.reasons],
        "runs_changed": [_place(place) for place in workflow.through],
    }


def _place(place: Place) -> dict[str, Any]:
    return {"filename": _filename(place.path), "row": place.line, "message": place.text}


def _locations(span: Span) -> tuple[dict[str, int], dict[str, int]]:
    """Where a span starts and ends; rows and columns count from 1."""
    return (
        {"row": span.line, "column": span.column + 1},
        {"row": span.end_line, "column": span.end_column + 1},
    )


def _filename(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
