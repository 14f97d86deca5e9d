"""What the catalog, its statistics and the record tell of the months of message_logs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import errors, sql

from birthday_cli.db import partition_events
from birthday_cli.db.connect import Connection
from birthday_cli.db.partition_events import Event
from birthday_cli.db.partitions import count_by_status
from birthday_cli.db.queries import query


class Table(NamedTuple):
    """A table that holds a month, or the default partition, which has no `starts_at`.

    `estimated_rows` is None where nothing is known of them; `shares` is how large a part of them is
    in each status, as far as the last ANALYZE saw any.
    """

    partition: str
    starts_at: datetime | None
    is_attached: bool
    is_detach_pending: bool
    estimated_rows: int | None
    total_bytes: int
    shares: dict[str, float]


def tables(connection: Connection) -> list[Table]:
    """Return the tables that hold months, attached or not, the oldest first."""
    rows: list[Any] = connection.execute(query("partitions/survey_months")).fetchall()
    return [
        Table._make((*row, dict(zip(statuses or (), shares or (), strict=True))))
        for *row, statuses, shares in rows
    ]


def events(connection: Connection) -> list[Event]:
    """Return what happened to the months, the oldest first."""
    rows: list[Any] = connection.execute(query("partitions/list_events_of_months")).fetchall()
    return [Event(row[0], partition_events.Kind(row[1]), *row[2:]) for row in rows]


def count(connection: Connection, partition: str, seconds: float) -> dict[str, int] | None:
    """Return the rows of partition by status, or None if they can't be counted.

    That is when it takes longer than so many seconds, waiting for locks included; when the table is
    gone by now; and when it is not ours to read. 0 seconds is no limit.
    """
    limit = sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(round(seconds * 1_000)))
    try:
        with connection.transaction():
            connection.execute(limit)
            return count_by_status(connection, partition)
    except (errors.QueryCanceled, errors.UndefinedTable, errors.InsufficientPrivilege):
        return None
