"""Random projects in correct asynchronous form, made synchronous by an inverse of its own: the tool restores them.

Every statement comes back as it was, or a finding tells that it was left; nothing else is reported, and a second run
changes nothing. What the runs came to is printed (`-s`).
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from random_projects.compare import Report, examine
from random_projects.draw import projects
from random_projects.model import Project

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def restore(examples: int) -> list[Report]:
    """The reports on so many projects, always the same ones."""
    reports: list[Report] = []

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=_CHECKS,
    )
    @given(projects())
    def examined(project: Project) -> None:
        report = examine(project)
        reports.append(report)
        assert not report.errors, report

    examined()
    return reports


def share_restored(reports: list[Report]) -> tuple[float, float]:
    """How much came back as it was, of the projects and of the statements that had to change."""
    sites, left = sum(report.sites for report in reports), sum(report.left for report in reports)
    whole = sum(not report.left for report in reports)
    planted = sum(len(report.planted) for report in reports)
    print(  # noqa: T201
        f"\n{whole} of {len(reports)} projects restored, {sites - left} of {sites} statements; "
        f"{planted} that nobody can fix, all reported"
    )
    return whole / len(reports), 1 - left / sites


def test_some_projects_are_restored() -> None:
    whole, statements = share_restored(restore(60))
    assert whole > 0.9
    assert statements > 0.95


@pytest.mark.slow
def test_many_projects_are_restored() -> None:
    whole, statements = share_restored(restore(2000))
    assert whole > 0.96
    assert statements > 0.99
