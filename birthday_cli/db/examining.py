"""What `doctor` asks the database: a query of sql/doctor for each; nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection, connect_to
from birthday_cli.db.queries import query

# For each statement; and nobody is kept waiting by one that waits for a lock.
_PATIENCE = {"statement_timeout": "10s", "lock_timeout": "1s"}


class Session(NamedTuple):
    """Which database this is, and as whom. `pid` is the server process that serves us.

    `sees_others` tells whether this role is shown what the sessions of others do.
    """

    database: str
    role: str
    is_superuser: bool
    is_standby: bool
    is_read_only: bool
    sees_others: bool
    pid: int


class LosingSetting(NamedTuple):
    """A setting that is off and should not be; `source` is PostgreSQL's word for where from."""

    name: str
    setting: str
    source: str


class InvalidIndex(NamedTuple):
    """An index that is not used; `is_left_over` of an interrupted REINDEX CONCURRENTLY."""

    name: str
    is_left_over: bool
    is_partitioned: bool


class MissingGuard(NamedTuple):
    """A trigger of the guard that message_logs lacks, or that is there and disabled."""

    name: str
    is_disabled: bool


@contextmanager
def connect_briefly(conninfo: str, settings: Settings) -> Iterator[Connection]:
    """Yield what `connect_to` does; no statement takes more than 10 s, or waits 1 s for a lock."""
    with connect_to(conninfo, settings, "bdaysched doctor", _PATIENCE) as connection:
        yield connection


def session(connection: Connection) -> Session:
    """Return where we are, and as whom."""
    return Session(*_row(connection, "describe_session"))


def losing_settings(connection: Connection) -> list[LosingSetting]:
    """Return the settings with which a crash loses data, as this session has them."""
    return [LosingSetting(*row) for row in _rows(connection, "list_losing_settings")]


def unlogged_tables(connection: Connection) -> list[str]:
    """Return the tables that a crash empties."""
    return [name for (name,) in _rows(connection, "list_unlogged_tables")]


def database_bytes(connection: Connection) -> int:
    """Return how large the database is."""
    return int(_row(connection, "measure_database")[0])


def wal_bytes(connection: Connection) -> int:
    """Return how large the write-ahead log is; InsufficientPrivilege if we may not know."""
    return int(_row(connection, "measure_wal")[0])


def data_directory(connection: Connection) -> str:
    """Return where the server has its data; InsufficientPrivilege if we may not know."""
    return str(_row(connection, "find_data_directory")[0])


def last_archive(connection: Connection) -> str | None:
    """Return where the archive's manifest is of the month that was dropped last, if it has one."""
    row = _row(connection, "find_last_archive")
    return str(row[0]) if row else None


def is_on_this_host(connection: Connection) -> bool:
    """Return whether the server's process is seen here, so that its folders are, too.

    A forwarded port leads elsewhere, and a container has numbers of its own; what /proc shows
    under the number of ours is then nothing, or something else.
    """
    found = session(connection)
    try:
        title = Path("/proc", str(found.pid), "cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"postgres") and os.fsencode(found.database) in title


def invalid_indexes(connection: Connection) -> list[InvalidIndex]:
    """Return the indexes that PostgreSQL does not use, but for those of partitions."""
    return [InvalidIndex(*row) for row in _rows(connection, "list_invalid_indexes")]


def missing_guards(connection: Connection) -> list[MissingGuard]:
    """Return the triggers of the guard that message_logs lacks, or has disabled."""
    return [MissingGuard(*row) for row in _rows(connection, "list_missing_guards")]


def time_zones(connection: Connection) -> set[str]:
    """Return the zones that users may live in."""
    return {name for (name,) in _rows(connection, "list_time_zones")}


def lacking_rights(connection: Connection) -> list[tuple[str, str]]:
    """Return each table of which this role lacks rights, with these, such as `INSERT, UPDATE`."""
    return [(table, rights) for table, rights in _rows(connection, "list_lacking_rights")]


def open_doors(connection: Connection) -> list[tuple[str, str]]:
    """Return what is open to those it should not be, each with the statement that shuts it."""
    return [(fault, statement) for fault, statement in _rows(connection, "list_open_doors")]


def _rows(connection: Connection, name: str) -> list[Any]:
    return connection.execute(query(f"doctor/{name}")).fetchall()


def _row(connection: Connection, name: str) -> Any:
    return connection.execute(query(f"doctor/{name}")).fetchone()
