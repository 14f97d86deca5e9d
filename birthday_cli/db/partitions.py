"""The months of message_logs and of its guard, as the catalog has them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_short_locks
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.months import Month
from birthday_cli.errors import NotUpToDate

MESSAGES = "message_logs"
GUARD = "message_guard"


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
    """Return the partitions of table, oldest first, those pending detachment included."""
    rows: list[Any] = connection.execute(
        query("partitions/list_partitions"), {"parent": table}
    ).fetchall()
    return [
        Partition(name, Month.of(starts_at), State.PENDING if pending else State.ATTACHED)
        for name, starts_at, _, pending in rows
    ]


def detached(connection: Connection) -> list[Partition]:
    """Return the months of message_logs that were detached and not dropped, oldest first."""
    rows: list[Any] = connection.execute(query("partitions/list_detached_months")).fetchall()
    return [Partition(name, Month.of(first_day), State.DETACHED) for name, first_day in rows]


def create_month(connection: Connection, table: str, month: Month) -> None:
    """Make and attach the partition of table for month, which must not be there yet."""
    name = month.partition_of(table)
    starts_at, ends_at = month.start.isoformat(), month.plus(1).start.isoformat()
    script = "partitions/create_message_month"
    if table == GUARD:
        script = "partitions/create_guard_month"
        starts_at, ends_at = starts_at[:10], ends_at[:10]
    statements = compose(
        script,
        partition=sql.Identifier(name),
        partition_name=sql.Literal(name),
        check=sql.Identifier(f"{name}_month"),
        starts_at=sql.Literal(starts_at),
        ends_at=sql.Literal(ends_at),
    )

    def change() -> None:
        with connection.transaction():
            connection.execute(statements)

    with_short_locks(connection, change)


def guard_triggers(connection: Connection, name: str) -> None:
    """Put the guard's triggers on the partition called name, where they are missing."""
    connection.execute(query("partitions/guard_partition"), {"partition": name})


def count_by_status(connection: Connection, name: str) -> dict[str, int]:
    """Return how many rows of the partition called name are in each status."""
    rows: list[Any] = connection.execute(
        compose("partitions/count_by_status", partition=sql.Identifier(name))
    ).fetchall()
    return dict(rows)


def drop(connection: Connection, partition: Partition) -> None:
    """Take partition out of message_logs while others read and write it, and drop it."""
    name = sql.Identifier(partition.name)
    if partition.state is State.ATTACHED:
        connection.execute(compose("partitions/detach_month", partition=name))
    if partition.state is State.PENDING:
        finish = compose("partitions/finish_detach", partition=name)
        with_short_locks(connection, lambda: connection.execute(finish))
    drop_table = compose("partitions/drop_detached_month", partition=name)
    with_short_locks(connection, lambda: connection.execute(drop_table))


def require_table(connection: Connection) -> None:
    """Raise NotUpToDate unless message_logs is there."""
    row = connection.execute("SELECT to_regclass('message_logs')").fetchone()
    if not row or row[0] is None:
        raise NotUpToDate("the schema is missing: run `bdaysched migrate`")
