"""Random projects in correct asynchronous form, made synchronous by an inverse of its own: the tool restores them.

Every statement comes back as it was, or a finding tells that it was left; nothing else is reported, and a second run
changes nothing. What the runs came to is printed (`-s`). `--hypothesis-profile thorough` draws 2,000 of them.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from random_projects.compare import Report, examine
from random_projects.draw import projects
from random_projects.execute import run_all
from random_projects.model import Project
from random_projects.stand_in import BlockedLoopError


def reports_on(examples: int, check: Callable[[Report], None], shard: int = 0) -> list[Report]:
    """The reports on so many projects, the same ones of each shard, each of which `check` has seen."""
    reports: list[Report] = []

    @seed(shard)
    @settings(
        max_examples=examples,
        derandomize=False,  # the seed decides
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(projects())
    def examined(project: Project) -> None:
        report = examine(project)
        check(report)
        reports.append(report)

    examined()
    return reports


def without_errors(report: Report) -> None:
    assert not report.errors, str(report)


def shares_restored(reports: list[Report]) -> tuple[float, float]:
    """How much came back as it was, of the projects and of the statements that had to change."""
    sites, left = sum(report.sites for report in reports), sum(report.left for report in reports)
    whole = sum(not report.left for report in reports)
    threads = sum(bool(report.left) and not report.unfixed for report in reports)
    planted = sum(len(report.planted) for report in reports)
    print(  # noqa: T201
        f"\n{whole} of {len(reports)} projects restored, {sites - left} of {sites} statements; in {threads} projects a "
        f"helper went to a thread that could have become a coroutine; {planted} calls that nobody can fix, all reported"
    )
    return whole / len(reports), 1 - left / sites


def test_some_projects_are_restored() -> None:
    whole, statements = shares_restored(reports_on(60, without_errors))
    assert whole > 0.9
    assert statements > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(1, 5))
def test_many_projects_are_restored(shard: int) -> None:
    """Each shard as many as the profile says: 100 by default."""
    assert settings.default is not None
    whole, statements = shares_restored(reports_on(settings.default.max_examples, without_errors, shard))
    assert whole > 0.9
    assert statements > 0.95


def blocks(files: dict[str, str]) -> bool:
    """Whether running a project stops the event loop somewhere."""
    try:
        run_all(files)
    except BlockedLoopError:
        return True
    return False


def test_the_correct_form_runs_and_the_synchronous_one_does_not() -> None:
    """So the generator's own idea of what is correct is not only compared with the tool's."""
    blocked: list[bool] = []

    def runs(report: Report) -> None:
        if not report.planted:
            run_all(report.wanted)
            blocks(report.after)  # what was left may block, but nothing else goes wrong
            if report.sites:
                blocked.append(blocks(report.before))

    reports_on(40, runs)
    assert len(blocked) > 10
    assert sum(blocked) / len(blocked) > 0.8
