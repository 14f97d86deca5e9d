"""What 12, 60 and 120 months cost a statement: planning it, and the locks that it takes.

The months are empty, so that nothing but their number counts. Part of `benchmarks.partitions`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import errors

from benchmarks import servers
from birthday_cli.db import patience
from birthday_cli.db.connect import Connection
from birthday_cli.db.partitions import GUARD, MESSAGES, create_month, existing
from birthday_cli.db.queries import query
from birthday_cli.domain.months import Month
from tests.facts import NOW, RULES
from tests.servers.postgres import PostgresServer

_REPEATS = 30
_SESSION = "-c TimeZone=UTC -c DateStyle=ISO"

_INSERT = """
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, status
)
SELECT id, 'BIRTHDAY', 'Happy birthday!', %(now)s::date, %(now)s, 'SCHEDULED' FROM users LIMIT 1
"""

# Of this transaction, without what the catalog itself takes; tables and indexes.
_LOCKS = """
SELECT count(*)
FROM pg_locks
JOIN pg_class ON pg_class.oid = pg_locks.relation
WHERE pid = pg_backend_pid() AND relnamespace = 'public'::regnamespace
"""


def due_parameters(now: datetime, limit: int = 5_000) -> dict[str, Any]:
    """Return what `dispatch` gives to messages/list_due for its first batch."""
    since = now - RULES.look_back
    return {
        "since": since,
        "now": now,
        "quiet_zones": RULES.quiet_zones(now),
        "after_time": since,
        "after_id": uuid4(),
        "limit": limit,
    }


def _statements() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return statements that can be narrowed down to a month or two, and one that can't be."""
    return {
        "dispatch": (query("messages/list_due"), due_parameters(NOW)),
        "insert": (_INSERT, {"now": NOW}),
        "claim": (query("messages/claim"), _claim()),
        "by_status": (query("queue/count_under_way"), {}),
    }


def _claim() -> dict[str, Any]:
    return {
        "ids": [uuid4() for _ in range(200)],
        "times": [NOW] * 200,
        "token": uuid4(),
        "lease": timedelta(minutes=5),
        "now": NOW,
        "quiet_zones": [],
    }


def measure(server: PostgresServer) -> dict[str, dict[str, Any]]:
    """Return the figures for each number of months, in milliseconds and locks."""
    with servers.migrated_database(server, "months") as connection:
        connection.execute(
            "INSERT INTO users (first_name, last_name, email, timezone)"
            " VALUES ('Ada', 'Lovelace', 'ada@example.com', 'UTC')"
        )
        found: dict[str, dict[str, Any]] = {}
        for count in (12, 60, 120):
            _reach(connection, count)
            found[str(count)] = _measure(server.url("months"), connection)
            servers.tell(f"{count} months: {found[str(count)]}")
    return found


def _reach(connection: Connection, count: int) -> None:
    """Drop or make months, the latest first and the oldest last, until there are so many."""
    for table in (MESSAGES, GUARD):
        there = [partition.month for partition in existing(connection, table)]
        for month in there[count:]:
            connection.execute(f"DROP TABLE {month.partition_of(table)}".encode())
        first = there[0] if there else Month.of(NOW)
        for back in range(1, count - len(there) + 1):
            create_month(connection, table, first.plus(-back))
    connection.execute("ANALYZE message_logs")


def _measure(url: str, connection: Connection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (statement, parameters) in _statements().items():
        with psycopg.connect(url, autocommit=True, options=_SESSION) as fresh:
            first = _planning(fresh, statement, parameters)
        times = [_planning(connection, statement, parameters) for _ in range(_REPEATS)]
        found[f"{name}_planning_ms"] = round(statistics.median(times), 3)
        found[f"{name}_planning_ms_of_a_new_connection"] = round(first, 3)
        found[f"{name}_locks"] = _locks(url, statement, parameters)
    for name in ("dispatch", "claim"):
        of = _statements()[name]
        found[f"{name}_locks_by_a_generic_plan"] = _locks(url, *of, generic=True)
        found[f"{name}_ms_by_a_generic_plan"] = _milliseconds(url, *of, generic=True)
        found[f"{name}_ms_planned_each_time"] = _milliseconds(url, *of, generic=False)
    found["sessions_by_status_until_out_of_locks"] = _sessions(url)
    return found


def _planning(connection: Connection, statement: str, parameters: dict[str, Any]) -> float:
    explain = f"EXPLAIN (SUMMARY, FORMAT JSON) {statement}".encode()
    row: Any = connection.execute(explain, parameters, prepare=False).fetchone()
    return float(row[0][0]["Planning Time"])


@contextmanager
def _session(url: str, generic: bool) -> Iterator[Connection]:
    """Yield a session, with a generic plan for everything if it is to be such as workers have."""
    with psycopg.connect(url, options=_SESSION) as connection:
        if generic:
            for name, value in patience.SESSION.items():
                connection.execute(f"SET {name} = {value}".encode())
        connection.commit()
        yield connection
        connection.rollback()


def _locks(url: str, statement: str, parameters: dict[str, Any], generic: bool = False) -> int:
    """Return the locks of a second run: what planning took the first time is gone by then."""
    with _session(url, generic) as connection:
        for _ in range(2):
            connection.rollback()
            connection.execute(statement.encode(), parameters, prepare=generic)
        row: Any = connection.execute(_LOCKS).fetchone()
        return int(row[0])


def _milliseconds(url: str, statement: str, parameters: dict[str, Any], generic: bool) -> float:
    """Return what a statement takes that finds nothing, once its session has run it before."""
    with _session(url, generic) as connection:
        run = partial(connection.execute, statement.encode(), parameters, prepare=generic)
        times = []
        for _ in range(_REPEATS):
            times.append(servers.seconds(run) * 1_000)
            connection.rollback()
    return servers.median(times[1:])


def _sessions(url: str) -> int | None:
    """Return how many sessions may have read all months by status before there are no locks left.

    None if all connections are taken first.
    """
    statement = query("queue/count_under_way")
    opened: list[psycopg.Connection[Any]] = []
    try:
        while True:
            opened.append(psycopg.connect(url, options=_SESSION))
            opened[-1].execute(statement)
    except errors.OutOfMemory:
        return len(opened) - 1
    except psycopg.OperationalError:
        return None
    finally:
        for connection in opened:
            connection.close()
