"""What happened to the months: made, detached, archived, dropped, restored; by whom."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query


class Kind(StrEnum):
    """The values of partition_events.event (constraint check_partition_event)."""

    CREATED = "created"
    DETACHED = "detached"
    ARCHIVED = "archived"
    DROPPED = "dropped"
    RESTORED = "restored"


class Event(NamedTuple):
    """One thing that happened to a partition.

    `rows` is how many messages it held, by status; `archive` where the manifest of its archive is;
    `forced` tells that it held messages that were not final.
    """

    partition: str
    event: Kind
    happened_at: datetime
    done_by: str
    forced: bool
    rows: dict[str, int] | None
    archive: str | None


def note(
    connection: Connection,
    partition: str,
    event: str,
    done_by: str,
    rows: dict[str, int] | None = None,
    archive: str | None = None,
    forced: bool = False,
) -> None:
    """Write down that event happened, now by the server's clock, to the table called partition."""
    connection.execute(
        query("partitions/note_event"),
        {
            "partition": partition,
            "event": Kind(event),
            "done_by": done_by,
            "forced": forced,
            "rows": None if rows is None else Jsonb(rows),
            "archive": archive,
        },
    )


def of(connection: Connection, partition: str) -> list[Event]:
    """Return what happened to the table called partition, the oldest first."""
    rows: list[Any] = connection.execute(
        query("partitions/list_events"), {"partition": partition}
    ).fetchall()
    return [_event(row) for row in rows]


def detachment(connection: Connection, partition: str) -> Event | None:
    """Return the event since which the table called partition has been detached.

    None if it was never noted, or what was noted since is another thing.
    """
    moves = [event for event in of(connection, partition) if event.event is not Kind.ARCHIVED]
    return moves[-1] if moves and moves[-1].event is Kind.DETACHED else None


def latest(connection: Connection) -> dict[str, Event]:
    """Return what happened last to each partition, by its name."""
    rows: list[Any] = connection.execute(query("partitions/list_latest_events")).fetchall()
    return {row[0]: _event(row) for row in rows}


def _event(row: Any) -> Event:
    partition, event, *rest = row
    return Event(partition, Kind(event), *rest)
