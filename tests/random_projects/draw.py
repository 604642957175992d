"""Makes up projects. Functions are drawn callees first, so calls never go in circles (but into themselves)."""

from __future__ import annotations

from hypothesis import strategies as st

from random_projects.bodies import body
from random_projects.builder import Builder
from random_projects.imports import STYLES
from random_projects.model import Call, Kind, Module, Project
from random_projects.references import references, sync_callers

_KINDS = (
    *([Kind.HELPER] * 7), *([Kind.COROUTINE] * 3), *([Kind.WORKFLOW] * 3),
    Kind.SYNC_WORKFLOW, Kind.SYNC_STEP, Kind.TRANSACTION, Kind.STEP,
)  # fmt: skip


def _modules(build: Builder) -> None:
    project = build.project
    names = ("setup", "store", "letters", "flows", "jobs", "web")
    for number in range(build.draw(st.integers(2, len(names)))):
        deep = number > 0 and build.chance(4)
        module = Module((project.package, *(["core"] if deep else []), names[number]))
        module.styles = {target: build.pick(STYLES) for target in range(number)}
        module.dbos_style = build.pick(("from", "from", "as", "module", "setup"))
        module.asyncio_style = build.pick(("", "", "", "asyncio", "aio"))
        module.future = build.chance(4)
        project.modules.append(module)
    project.modules[0].asyncio_style = ""


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Whole projects."""
    project = Project(draw(st.sampled_from(("app", "shop"))), draw(st.sampled_from(("", "src"))), draw(st.booleans()))
    build = Builder(draw, project)
    _modules(build)
    last = len(project.modules) - 1
    deep = draw(st.booleans())  # each helper calls the one before it
    size = draw(st.integers(4, 14))
    for index in range(size):
        build.module = max(build.module, 1 + index * last // size)
        function = build.new(build.pick(_KINDS) if index < size - 1 else Kind.WORKFLOW)
        function.params = [("v", None)] if build.chance(2) else [("v", None), ("w", None)]
        if function.kind.is_coroutine and build.chance(8):
            function.migrated = True
        chained = deep and function.kind in (Kind.HELPER, Kind.COROUTINE, Kind.WORKFLOW) and not function.migrated
        above = [callee for callee in build.callees if callee.kind is Kind.HELPER][-1:] if chained else []
        function.body = [build.in_place(Call(callee, build.args(callee, function))) for callee in above]
        body(build, function, least=1 if function.kind is Kind.HELPER else 0)
        build.callees.append(build.keep(function))
    build.module = last
    if not deep or build.chance(3):
        sync_callers(build)
        references(build)
    return project
