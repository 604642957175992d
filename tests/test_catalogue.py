"""The catalogue of the DBOS API: what was measured on the released packages, and how it is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import pytest

from dbos_asyncify.dbos_api import (
    AsyncForm,
    Catalogue,
    FormKind,
    Member,
    OnLoop,
    Returns,
    load,
    newest,
    oldest,
    versions,
)


def words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


RAISING = words(
    "register_queue retrieve_queue delete_queue list_queues run_step get_workflow_status get_result",
    "wait_first retrieve_workflow send send_bulk recv sleep set_event get_event get_all_events",
    "cancel_workflow cancel_workflows update_workflow_attributes delete_workflow delete_workflows",
    "resume_workflow resume_workflows set_workflow_delay rewind_workflow fork_workflow list_workflows",
    "list_queued_workflows list_workflow_steps write_stream close_stream read_stream read_stream_offset",
    "patch deprecate_patch",
)
FIRST_ASYNC = {
    "0.16.0": words("send recv sleep set_event get_event"),
    "0.24.0": words("start_workflow"),
    "0.25.0": words("get_workflow_status retrieve_workflow"),
    "1.8.0": words(
        "cancel_workflow resume_workflow list_workflows list_queued_workflows fork_workflow",
        "list_workflow_steps restart_workflow",
    ),
    "1.11.0": words("write_stream close_stream read_stream"),
    "2.0.0": words("get_all_events"),
    "2.7.0": words("patch deprecate_patch"),
    "2.9.0": words("run_step delete_workflow"),
    "2.10.0": words("get_result"),
    "2.13.0": words("create_schedule list_schedules get_schedule delete_schedule"),
    "2.14.0": words(
        "wait_first list_application_versions get_latest_application_version",
        "set_latest_application_version",
    ),
    "2.15.0": words("cancel_workflows delete_workflows resume_workflows"),
    "2.17.0": words("apply_schedules"),
    "2.18.0": words("set_workflow_delay"),
    "2.20.0": words("enqueue_workflow"),
    "2.21.0": words("register_queue retrieve_queue delete_queue"),
    "2.22.0": words("list_queues"),
    "2.23.0": words("send_bulk"),
    "2.25.0": words("update_workflow_attributes"),
    "2.30.0": words("enqueue_workflow_with_options"),
    "2.31.0": words("read_stream_offset"),
    "3.1.0": words("rewind_workflow"),
}
FIRST = [
    ("DBOS", "start_workflow", "0.12.0"),
    ("DBOS", "list_workflows", "0.25.0"),
    ("DBOS", "apply_schedules", "2.13.0"),
    ("DBOS", "register_queue", "2.20.0"),
    ("DBOS", "reserve_step", "3.4.0"),
    ("Queue", "enqueue_async", "0.24.0"),
    ("WorkflowHandleAsync", "get_result", "0.24.0"),
    ("DBOSClient", "enqueue_async", "0.25.0"),
    ("Debouncer", "debounce_async", "1.14.0"),
    ("DBOS", "asyncio_wait", "2.15.0"),
    ("Queue", "concurrency", "2.20.0"),
    ("Queue", "get_concurrency_async", "2.21.0"),
    ("Queue", "set_concurrency_async", "2.21.0"),
    ("AsyncSQLAlchemyDatasource", "run_tx_step_async", "2.22.0"),
    ("AsyncSQLAlchemyDatasource", "verify_migrations", "3.2.0"),
    ("StepReservation", "run_async", "3.4.0"),
]
DBOS_WITHOUT_TWIN = words(
    "pause_schedule resume_schedule backfill_schedule trigger_schedule reserve_step launch destroy",
    "migrate reset_system_database listen_queues set_authentication",
)
CLIENT_WITHOUT_TWIN = words(
    "destroy enqueue_in_transaction send_in_transaction send_bulk_in_transaction pause_schedule",
    "resume_schedule backfill_schedule trigger_schedule",
)
QUEUE_PROPERTIES = words(
    "concurrency global_concurrency worker_concurrency limiter partition_concurrency",
    "partition_worker_concurrency partition_limiter polling_interval_sec",
)
MISMATCHES = [
    ("DBOS", "list_workflows", "2.4.0", "2.8.0", ("queue_name",)),
    ("DBOS", "read_stream", "2.11.0", "2.30.0", ("polling_interval_sec",)),
    ("DBOSClient", "list_workflows", "0.26.0", "0.27.2", ("workflow_id_prefix",)),
    ("DBOSClient", "send", "2.14.0", "2.17.0", ("serialization_type",)),
    ("DebouncerClient", "debounce", "1.14.0", "2.31.1", ("deboucne_key", "debounce_key")),
]


@cache
def history() -> dict[str, tuple[Member, ...]]:
    return {release: tuple(load(release).members()) for release in versions()}


def releases_with(condition: Callable[[Member], bool]) -> list[str]:
    return [release for release, members in history().items() if any(map(condition, members))]


def releases_of(owner: str, name: str) -> list[str]:
    return releases_with(lambda member: (member.owner, member.name) == (owner, name))


def between(first: str, last: str) -> list[str]:
    known = versions()
    return list(known[known.index(first) : known.index(last) + 1])


def names(release: str, owner: str, condition: Callable[[Member], bool]) -> frozenset[str]:
    members: Iterable[Member] = history()[release]
    return frozenset(member.name for member in members if member.owner == owner and condition(member))


def found(catalogue: Catalogue, owner: str, name: str) -> Member:
    member = catalogue.member(owner, name)
    assert member is not None, f"{owner}.{name} is not in the catalogue"
    return member


@pytest.mark.parametrize(("release", "listed"), FIRST_ASYNC.items())
def test_first_release_of_async_forms(release: str, listed: frozenset[str]) -> None:
    assert {name: releases_of("DBOS", f"{name}_async")[0] for name in listed} == dict.fromkeys(listed, release)


def test_first_release_of_all_async_forms_is_measured() -> None:
    known = (names(release, "DBOS", lambda member: member.async_form is not None) for release in versions())
    assert frozenset().union(*known) == frozenset().union(*FIRST_ASYNC.values())


@pytest.mark.parametrize(("owner", "name", "release"), FIRST)
def test_first_release(owner: str, name: str, release: str) -> None:
    assert releases_of(owner, name)[0] == release


def test_last_releases() -> None:
    assert releases_of("DBOS", "restart_workflow_async") == between("1.8.0", "1.14.0")
    for name in ("transaction", "sql_session", "scheduled", "register_instance"):
        assert releases_of("DBOS", name)[-1] == "2.31.1"
    for name in ("priority_enabled", "partition_queue"):
        assert releases_of("Queue", name)[-1] == "2.31.1"


def test_number_of_pairs() -> None:
    for owner, pairs in (("DBOS", 46), ("DBOSClient", 35)):
        assert len(names("3.4.0", owner, lambda m: bool(m.async_form))) == pairs


def test_raising() -> None:
    raising = {(m.owner, m.name) for m in history()["3.4.0"] if m.on_loop is OnLoop.RAISES}
    handles = {"WorkflowHandle", "WorkflowHandleFuture", "WorkflowHandlePolling"}
    assert raising == (
        {("DBOS", name) for name in RAISING}
        | {("StepReservation", "run")}
        | {(handle, "get_status") for handle in handles}
    )
    assert names("2.31.1", "DBOS", lambda m: m.on_loop is OnLoop.RAISES) == (RAISING - {"rewind_workflow"})


def test_nothing_raises_before_2_10() -> None:
    raising = {
        (release, member.name)
        for release in between(oldest(), "2.9.0")
        for member in history()[release]
        if member.on_loop is OnLoop.RAISES
    }
    assert raising == {("2.9.0", "run_step")}


def test_what_raises_does_so_since_2_10_or_its_birth() -> None:
    later = {"run_step": "2.9.0"} | dict.fromkeys(words("register_queue retrieve_queue delete_queue"), "2.21.0")
    for release in versions():
        born = RAISING & names(release, "DBOS", lambda m: not m.is_async)
        checked = {name for name in born if release in between(later.get(name, "2.10.0"), newest())}
        assert names(release, "DBOS", lambda m: m.on_loop is OnLoop.RAISES) == checked, release


def test_warning() -> None:
    warning = {(m.owner, m.name) for m in history()["3.4.0"] if m.on_loop is OnLoop.WARNS}
    client = "register_queue retrieve_queue delete_queue list_queues check_connection rename_application"
    assert warning == (
        {("DBOSClient", name) for name in client.split()}
        | {("Queue", name) for name in QUEUE_PROPERTIES}
        | {("Queue", f"set_{name}") for name in QUEUE_PROPERTIES}
    )


def test_without_async_form() -> None:
    def lone(member: Member) -> bool:
        return not member.is_async and member.async_form is None and member.kind == "method"

    assert names("3.4.0", "DBOS", lone) == DBOS_WITHOUT_TWIN
    assert names("3.4.0", "DBOSClient", lone) == CLIENT_WITHOUT_TWIN


def test_decorators_and_context_properties() -> None:
    members = {m.name: m for m in history()["3.4.0"] if m.owner == "DBOS"}
    decorators = {name for name, member in members.items() if member.kind == "decorator"}
    assert decorators == words(
        "workflow step dbos_class default_required_roles", "required_roles kafka_consumer alert_handler"
    )
    for name in ("workflow_id", "step_id", "step_status", "logger", "authenticated_user"):
        assert members[name].kind == "classproperty"
    for owner in ("SQLAlchemyDatasource", "AsyncSQLAlchemyDatasource"):
        assert found(load("3.4.0"), owner, "transaction").kind == "decorator"
    assert found(load("2.31.1"), "DBOS", "transaction").kind == "decorator"


@pytest.mark.parametrize(("owner", "name", "first", "last", "different"), MISMATCHES)
def test_different_parameters(owner: str, name: str, first: str, last: str, different: tuple[str, ...]) -> None:
    def differs(member: Member) -> bool:
        form = member.async_form
        return (member.owner, member.name) == (owner, name) and bool(form and form.different_parameters)

    assert releases_with(differs) == between(first, last)
    form = found(load(first), owner, name).async_form
    assert form is not None
    assert form.different_parameters == different


def test_no_other_different_parameters() -> None:
    differing = {
        (member.owner, member.name)
        for release in versions()
        for member in history()[release]
        if member.async_form and member.async_form.different_parameters
    }
    assert differing == {(owner, name) for owner, name, *_ in MISMATCHES}


def test_kinds_of_async_forms() -> None:
    special = {
        (m.owner, m.name): m.async_form.kind
        for m in history()["3.4.0"]
        if m.async_form and m.async_form.kind is not FormKind.COROUTINE
    }
    assert special == {
        ("DBOS", "read_stream"): FormKind.ASYNC_GENERATOR,
        ("DBOSClient", "read_stream"): FormKind.ASYNC_GENERATOR,
        ("Debouncer", "create"): FormKind.FUNCTION,
    }
    assert found(load(), "DBOS", "read_stream").kind == "generator"
    assert found(load(), "DBOS", "read_stream_async").is_async_generator
    assert not found(load(), "Debouncer", "create_async").is_async


def test_plain_functions_that_return_a_coroutine() -> None:
    def awaitable(member: Member) -> bool:
        return bool(member.async_form and member.async_form.kind is FormKind.AWAITABLE)

    assert releases_with(awaitable) == between("2.7.0", "2.23.0")
    assert names("2.7.0", "DBOS", awaitable) == {"patch", "deprecate_patch"}
    assert found(load("2.7.0"), "DBOS", "patch_async").is_async


def test_queue_properties() -> None:
    for name in QUEUE_PROPERTIES:
        member = found(load("3.4.0"), "Queue", name)
        assert member.kind == "property"
        assert member.async_form == AsyncForm(f"get_{name}_async", FormKind.COROUTINE, "Queue", ())
        setter = found(load("3.4.0"), "Queue", f"set_{name}").async_form
        assert setter == AsyncForm(f"set_{name}_async", FormKind.COROUTINE, "Queue", ())


def test_datasources() -> None:
    forms = {m.name: m.async_form for m in history()["3.4.0"] if m.owner == "SQLAlchemyDatasource"}
    twin = {"run_tx_step": "run_tx_step_async"}
    for name in ("create", "migrate", "run_migrations", "verify_migrations", "run_tx_step"):
        expected = AsyncForm(twin.get(name, name), FormKind.COROUTINE, "AsyncSQLAlchemyDatasource", ())
        assert forms.pop(name) == expected
    assert forms == {"transaction": None, "sql_session": None}


def test_handles() -> None:
    for name in ("get_result", "get_status"):
        sync = found(load("3.4.0"), "WorkflowHandle", name)
        assert (sync.is_async, sync.async_form) == (False, None)
        assert found(load("3.4.0"), "WorkflowHandleAsync", name).is_async
    assert not found(load("3.4.0"), "WorkflowHandleAsync", "get_workflow_id").is_async
    assert found(load("3.4.0"), "WorkflowHandle", "get_result").on_loop is OnLoop.BLOCKS
    assert found(load("3.4.0"), "WorkflowHandleClientPolling", "get_status").on_loop is OnLoop.BLOCKS


@pytest.mark.parametrize(
    ("owner", "name", "cls", "container"),
    [
        ("DBOS", "start_workflow", "WorkflowHandle", ""),
        ("DBOS", "start_workflow_async", "WorkflowHandleAsync", ""),
        ("DBOS", "resume_workflows", "WorkflowHandle", "list"),
        ("DBOS", "resume_workflows_async", "WorkflowHandleAsync", "list"),
        ("DBOS", "backfill_schedule", "WorkflowHandle", "list"),
        ("DBOS", "register_queue", "Queue", ""),
        ("DBOS", "retrieve_queue", "Queue", "optional"),
        ("DBOS", "list_queues", "Queue", "list"),
        ("DBOS", "reserve_step", "StepReservation", ""),
        ("DBOS", "list_workflows", "WorkflowStatus", "list"),
        ("DBOSClient", "enqueue", "WorkflowHandle", ""),
        ("Queue", "enqueue_async", "WorkflowHandleAsync", ""),
        ("Debouncer", "create", "Debouncer", ""),
        ("DebouncerClient", "debounce", "WorkflowHandle", ""),
        ("SQLAlchemyDatasource", "create", "SQLAlchemyDatasource", ""),
        ("AsyncSQLAlchemyDatasource", "create", "AsyncSQLAlchemyDatasource", ""),
    ],
)
def test_returns(owner: str, name: str, cls: str, container: str) -> None:
    assert found(load("3.4.0"), owner, name).returns == Returns(cls, container)


def test_returns_nothing_of_interest() -> None:
    for name in ("send", "recv", "sleep", "run_step", "get_event", "read_stream"):
        assert found(load("3.4.0"), "DBOS", name).returns is None


def test_versions() -> None:
    assert versions()[0] == oldest() == "0.12.0"
    assert versions()[-1] == newest()
    assert load() is load(newest())


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2.31.1", (2, 31, 1)),
        ("2.9", (2, 9, 0)),
        ("2.31.7", (2, 31, 1)),
        ("2.10.0rc1", (2, 10, 0)),
        ("3.1.0.post1+local", (3, 1, 0)),
        ("0.1.0", (0, 12, 0)),
    ],
)
def test_nearest_release_at_or_below(asked: str, given: tuple[int, ...]) -> None:
    assert load(asked).version == given


def test_newer_than_known() -> None:
    assert load("99") is load()


def test_no_version() -> None:
    with pytest.raises(ValueError, match="not a version: 'newest'"):
        load("newest")


def test_unknown_member() -> None:
    assert load().member("DBOS", "no_such_name") is None
    assert load().member("NoSuchClass", "send") is None


def test_member_of_a_later_release() -> None:
    member = found(load("2.9.0"), "DBOS", "register_queue")
    assert member == found(load("2.20.0"), "DBOS", "register_queue")
    assert member.async_form is None


def test_member_of_an_earlier_release() -> None:
    assert found(load(), "DBOS", "restart_workflow") == found(load("1.14.0"), "DBOS", "restart_workflow")


def test_classes() -> None:
    assert {"DBOS", "Queue", "WorkflowHandle"} <= load("0.12.0").classes()
    assert "WorkflowHandleAsync" not in load("0.23.0").classes()
    assert "WorkflowHandleAsync" in load("0.24.0").classes()
    assert "WorkflowHandleAsync" not in load("0.24.0").exports()
    assert {"WorkflowHandleFuture", "StepReservation"} <= load().classes()
    assert "WorkflowHandleFuture" not in load().exports()
