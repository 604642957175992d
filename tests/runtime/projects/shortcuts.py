"""Makes DBOS and the projects quick and self-contained: one SQLite database, no long waits, no network."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dbos._dbos
import dbos._queue
import sqlalchemy as sa
import sqlalchemy.ext.asyncio
from dbos import DBOS, AsyncSQLAlchemyDatasource, DBOSClient, DBOSConfig, SQLAlchemyDatasource
from dbos._dbos import DBOSRegistry
from dbos._sys_db import SystemDatabase

LONGEST_SLEEP = 0.01
LONGEST_WAIT = 0.05
APPLICATION = "application.sqlite"
DATA = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CALL|LOCK)\b", re.IGNORECASE)
OF_DBOS = re.compile(r"datasource_outputs|sqlite_")


class OutOfTime(BaseException):
    """Raised by what a project sleeps in once its time is over: it would go on for ever."""


class Clock:
    """When the present call has to end."""

    def __init__(self) -> None:
        self.deadline = float("inf")

    def check(self) -> None:
        if time.monotonic() > self.deadline:
            raise OutOfTime


def config(folder: Path) -> DBOSConfig:
    return {
        "name": "fixture",
        "system_database_url": f"sqlite:///{folder}/system.sqlite",
        "application_version": "fixture",
        "log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": 0.02,
    }


def install(folder: Path, clock: Clock) -> None:
    """Everything for a project in `folder`."""
    _shorten_waits(clock)
    _redirect_databases(folder)
    sa.event.listen(sa.Engine, "before_cursor_execute", _without_tables, retval=True)
    sa.event.listen(sa.Engine, "connect", _without_flushes)
    socket.getaddrinfo = _no_network
    socket.socket.connect = _no_network  # type: ignore[method-assign]
    sys.argv = ["project", "text"]
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - the process is short


def _no_network(*_: Any, **__: Any) -> Any:
    raise OSError("no network")


def _shorten_waits(clock: Clock) -> None:
    sleep, asyncio_sleep = time.sleep, asyncio.sleep

    def short_sleep(seconds: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            clock.check()
        sleep(min(seconds, LONGEST_SLEEP))

    async def short_asyncio_sleep(delay: float, result: Any = None) -> Any:
        return await asyncio_sleep(min(delay, LONGEST_SLEEP), result)

    time.sleep = short_sleep
    asyncio.sleep = short_asyncio_sleep
    _cap_argument(SystemDatabase, "recv_setup", 4, "timeout_seconds")
    _cap_argument(SystemDatabase, "get_event_setup", 2, "timeout_seconds")
    queue_thread: Any = dbos._queue.queue_thread
    vars(dbos._dbos)["queue_thread"] = lambda event, instance: queue_thread(_Impatient(event), instance)


class _Impatient:
    """The stop event of the queue threads, which wait on it between two polls."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def wait(self, timeout: float) -> bool:
        return self._event.wait(min(timeout, LONGEST_WAIT))

    def is_set(self) -> bool:
        return self._event.is_set()


def _cap_argument(owner: Any, name: str, position: int, keyword: str) -> None:
    function = getattr(owner, name)

    def capped(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > position:
            args = (*args[:position], min(args[position], LONGEST_WAIT), *args[position + 1 :])
        if keyword in kwargs:
            kwargs[keyword] = min(kwargs[keyword], LONGEST_WAIT)
        return function(self, *args, **kwargs)

    setattr(owner, name, capped)


def _redirect_databases(folder: Path) -> None:
    app = f"sqlite:///{folder}/{APPLICATION}"
    asynchronous = app.replace("sqlite:", "sqlite+aiosqlite:")
    new = DBOS.__new__
    DBOS.__new__ = lambda cls, **_: new(cls, config=config(folder))  # type: ignore
    # DBOS is up before the project is imported, so that queues can be registered at import.
    DBOSRegistry.register_datasource = lambda self, datasource: self.datasources.append(datasource)  # type: ignore
    DBOS.destroy = classmethod(lambda cls, **_: None)  # type: ignore # others are still to be called
    init = DBOSClient.__init__
    DBOSClient.__init__ = lambda self, *_, **__: init(  # type: ignore
        self, system_database_url=config(folder)["system_database_url"]
    )
    for datasource, url in ((SQLAlchemyDatasource, app), (AsyncSQLAlchemyDatasource, asynchronous)):
        create = datasource.create
        datasource.create = staticmethod(lambda *_, create=create, url=url, **__: create(url))  # type: ignore
    for module, name, url in (
        (sa, "create_engine", app),
        (sqlalchemy.ext.asyncio, "create_async_engine", asynchronous),
    ):
        make = getattr(module, name)
        setattr(module, name, _redirected(make, url))


def _redirected(make: Any, replacement: str) -> Any:
    def create(url: Any, **options: Any) -> Any:
        return make(url, **options) if str(url).startswith("sqlite") else make(replacement)

    return create


def _without_tables(
    connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    """The tables of the project do not exist: each of its statements gives one row that holds a 1."""
    own = str(connection.engine.url.database).endswith(APPLICATION)
    if not own or executemany or OF_DBOS.search(statement) or not DATA.match(statement):
        return statement, parameters
    return "SELECT 1 AS one", ()


def _without_flushes(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
