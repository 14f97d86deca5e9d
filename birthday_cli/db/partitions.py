"""The months of message_logs and of its guard, as the catalog has them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from psycopg import errors, sql
from psycopg.pq import TransactionStatus

from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_brief_locks
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.months import Month
from birthday_cli.errors import NotUpToDate

MESSAGES = "message_logs"
GUARD = "message_guard"
WAIT = 30.0
"""Seconds for which locks are tried for, unless somebody says otherwise."""

_LONGEST_ANALYZE_MS = 60_000


class State(StrEnum):
    """Whether a partition is part of its table; PENDING is an interrupted concurrent detach."""

    ATTACHED = "attached"
    PENDING = "detach pending"
    DETACHED = "detached"


class Partition(NamedTuple):
    """One month of a table."""

    name: str
    month: Month
    state: State


def existing(connection: Connection, table: str) -> list[Partition]:
    """Return the months of table, oldest first, those pending detachment included.

    A default partition is no month, and left out.
    """
    rows: list[Any] = connection.execute(
        query("partitions/list_partitions"), {"parent": table}
    ).fetchall()
    return [
        Partition(name, Month.of(starts_at), State.PENDING if pending else State.ATTACHED)
        for name, starts_at, _, pending in rows
        if starts_at
    ]


def detached(connection: Connection) -> list[Partition]:
    """Return the months of message_logs that were detached and not dropped, oldest first."""
    rows: list[Any] = connection.execute(query("partitions/list_detached_months")).fetchall()
    return [Partition(name, Month.of(first_day), State.DETACHED) for name, first_day in rows]


def apart(connection: Connection) -> list[Partition]:
    """Return the months that message_logs does not show, the half-detached ones included."""
    months = existing(connection, MESSAGES)
    return [*(month for month in months if month.state is State.PENDING), *detached(connection)]


def create_month(connection: Connection, table: str, month: Month, wait: float = WAIT) -> None:
    """Make and attach the partition of table for month, which must not be there yet.

    Reading and writing goes on: the parent is locked against other DDL, users against writing, each
    for milliseconds. Raises Locked when the locks do not come within `wait` seconds.
    """
    script = (
        "partitions/create_guard_month" if table == GUARD else "partitions/create_message_month"
    )
    statements = compose(script, **parts_of(table, month))
    attach = compose("partitions/attach_month", **parts_of(table, month))

    def change() -> None:
        with connection.transaction():
            connection.execute(statements)
            connection.execute(attach)

    with_brief_locks(connection, change, f"{month.partition_of(table)} cannot be made", wait)


def attach_month(connection: Connection, table: str, month: Month, wait: float = WAIT) -> None:
    """Attach the partition of table for month, which `create_month` has made, once more.

    Nothing is scanned, since its CHECK and its foreign key say what they have to.
    """
    attach = compose("partitions/attach_month", **parts_of(table, month))
    with_brief_locks(
        connection,
        lambda: connection.execute(attach),
        f"{month.partition_of(table)} cannot be attached",
        wait,
    )


def parts_of(table: str, month: Month) -> dict[str, sql.Composable]:
    """Return what statements about the partition of table for month are composed of."""
    name = month.partition_of(table)
    starts_at, ends_at = month.start.isoformat(), month.plus(1).start.isoformat()
    if table == GUARD:
        starts_at, ends_at = starts_at[:10], ends_at[:10]
    return {
        "parent": sql.Identifier(table),
        "partition": sql.Identifier(name),
        "partition_name": sql.Literal(name),
        "check": sql.Identifier(f"{name}_month"),
        "starts_at": sql.Literal(starts_at),
        "ends_at": sql.Literal(ends_at),
    }


def guard_triggers(connection: Connection, name: str, wait: float = WAIT) -> None:
    """Put the guard's triggers on the partition called name, where they are missing."""
    with_brief_locks(
        connection,
        lambda: connection.execute(query("partitions/guard_partition"), {"partition": name}),
        f"{name} is not guarded yet",
        wait,
    )


def count_by_status(connection: Connection, name: str) -> dict[str, int]:
    """Return how many rows of the partition called name are in each status."""
    rows: list[Any] = connection.execute(
        compose("partitions/count_by_status", partition=sql.Identifier(name))
    ).fetchall()
    return dict(rows)


def total_bytes(connection: Connection, name: str) -> int:
    """Return the size of the partition called name, with its indexes."""
    row: Any = connection.execute(query("partitions/measure"), {"partition": name}).fetchone()
    return int(row[0])


def detach(connection: Connection, partition: Partition, wait: float = WAIT) -> None:
    """Take partition out of message_logs while others read and write that; also half-detached.

    It then waits for the transactions that may still see it, and keeps nobody waiting. Raises
    Locked when they go on for longer than `wait` seconds: the detachment is pending, message_logs
    is without the month, and the next call completes it.
    """
    parts = {**parts_of(MESSAGES, partition.month), "partition": sql.Identifier(partition.name)}
    # A month that somebody made by hand would not be known for one any more.
    mark = compose("partitions/mark_month", **parts)
    start = compose("partitions/detach_month", **parts)
    finish = compose("partitions/finish_detach", **parts)
    which = {"table": MESSAGES, "partition": partition.name}

    def change() -> None:
        row: Any = connection.execute(query("schema/find_detach"), which).fetchone()
        if row:
            (is_pending,) = row
            connection.execute(finish if is_pending else start)

    failure = f"{partition.name} is not detached yet"
    if not _is_marked(connection, partition):
        with_brief_locks(connection, lambda: connection.execute(mark), failure, wait)
    with_brief_locks(connection, change, failure, wait)


def _is_marked(connection: Connection, partition: Partition) -> bool:
    row: Any = connection.execute(
        query("partitions/find_mark"), {"partition": partition.name}
    ).fetchone()
    return bool(row[0])


def drop(connection: Connection, name: str, note: Callable[[], object], wait: float = WAIT) -> None:
    """Drop the detached month called name, and in the same transaction `note` that.

    Its foreign key has triggers on users, and to remove them locks users against reading: that is
    done first and alone, so that it takes a millisecond or two. Raises Locked when the lock does
    not come within `wait` seconds.
    """
    failure = f"{name} is not dropped yet"
    partition = sql.Identifier(name)
    keys: list[Any] = connection.execute(
        query("partitions/list_foreign_keys"), {"partition": name}
    ).fetchall()
    for (key,) in keys:
        drop_key = compose(
            "partitions/drop_foreign_key", partition=partition, foreign_key=sql.Identifier(key)
        )
        with_brief_locks(connection, partial(connection.execute, drop_key), failure, wait)
    drop_table = compose("partitions/drop_detached_month", partition=partition)

    def change() -> None:
        with connection.transaction():
            connection.execute(drop_table)
            note()

    with_brief_locks(connection, change, failure, wait)


def default_of_messages(connection: Connection) -> str | None:
    """Return the name of the default partition of message_logs, which an adopted one may have."""
    row: Any = connection.execute(query("partitions/find_default")).fetchone()
    return row[0] if row else None


def analyze(connection: Connection, table: str) -> None:
    """Let the planner know what all months of table hold together; nothing, if they are empty.

    It stops after a minute, and leaves out what is locked. Does nothing within a transaction, which
    a stop would abort.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        return
    name = sql.Identifier(table)
    row: Any = connection.execute(compose("partitions/has_rows", table=name)).fetchone()
    if not row[0]:
        return
    try:
        connection.execute(f"SET statement_timeout = {_LONGEST_ANALYZE_MS}")
        with suppress(errors.QueryCanceled):
            connection.execute(compose("partitions/analyze", table=name))
    finally:
        if not connection.closed:
            connection.execute("RESET statement_timeout")


def require_table(connection: Connection) -> None:
    """Raise NotUpToDate unless message_logs is there."""
    row = connection.execute("SELECT to_regclass('message_logs')").fetchone()
    if not row or row[0] is None:
        raise NotUpToDate("the schema is missing: run `bdaysched migrate`")
