"""The ways to deploy changed workflows: those that the dbos version has and that fit what changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbos_asyncify.findings import Impact

# The releases that brought what a way needs.
_FORK_TO_VERSION = (1, 0)
_VERSION_IN_CONFIGURATION = (1, 14)
_PATCH = (2, 7)
_AUTO_UPGRADE = (3, 4)
_PATCH_WITHOUT_FLAG = (3, 4)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to deploy: its name, and what to do."""

    name: str
    text: str


def ways(impact: Impact) -> tuple[Way, ...]:
    """What can be done, the simplest first; nothing where no workflow is concerned."""
    return tuple(_ways(impact)) if impact.workflows else ()


def _ways(impact: Impact) -> Iterator[Way]:
    version = impact.version
    configured = version >= _VERSION_IN_CONFIGURATION
    setting = "`application_version` in the configuration" if configured else "`DBOS__APPVERSION` in the environment"
    if impact.same_steps and impact.new_version is False:
        yield Way("deploy", "nothing to do: the new code takes up the runs in flight, and finds the steps it expects.")
        return
    if impact.new_version is False:
        yield Way("new version", f"set {setting} to a new value: then runs in flight wait for the old code.")
    yield Way("drain", "start nothing new, let the runs in flight finish on the old code, then deploy.")
    yield Way("blue-green", "beside the new code, keep processes with the old version running until its runs are done.")
    if impact.same_steps:
        yield Way("pin", f"set {setting} to the version that runs now: the new code takes up the runs in flight.")
        if version >= _AUTO_UPGRADE:
            yield Way(
                "auto-upgrade", "`@DBOS.workflow(auto_upgrade=True)`: DBOS moves the runs in flight to the new code."
            )
        return
    if version >= _PATCH:
        flag = "" if version >= _PATCH_WITHOUT_FLAG else " and `enable_patching`"
        yield Way(
            "patch",
            '`if await DBOS.patch_async("...")` around the new steps, `else` the old ones; keep the old '
            f"`application_version`{flag}.",
        )
    if version >= _FORK_TO_VERSION:
        yield Way("fork", "`DBOS.fork_workflow(id, step, application_version=...)` from a step before the change.")
