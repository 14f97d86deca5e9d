"""What an operator sees of the queue in the database, and the moves that only a person makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from birthday_cli.db.connect import AsyncConnection, Connection
from birthday_cli.db.queries import query
from birthday_cli.domain.message import Reference
from birthday_cli.domain.states import Status


class UnderWay(NamedTuple):
    """How many rows are under way, by where they are.

    `waiting` are QUEUED; in the hand of a worker of the Postgres broker they are
    `waiting_in_hand`. `sending` are SENDING, and RETRYING is one of the last three.
    `oldest_queued` is when the QUEUED row was due that has waited longest.
    """

    waiting: int
    waiting_in_hand: int
    sending: int
    sending_past_lease: int
    retrying_due: int
    retrying_later: int
    held: int
    oldest_queued: datetime | None


class HeldMessage(NamedTuple):
    """A message that waits for a person, who may know whether it was delivered."""

    id: UUID
    user_id: UUID
    message_type: str
    delivery_date: date
    since: datetime
    error: str | None


async def under_way(connection: AsyncConnection) -> UnderWay:
    """Return how many rows are under way now, by the database's clock."""
    row: Any = await (await connection.execute(query("queue/count_under_way"))).fetchone()
    return UnderWay(*row)


async def states(
    connection: AsyncConnection, references: Sequence[Reference]
) -> dict[Reference, Status]:
    """Return the states of those rows behind references that are there."""
    cursor = await connection.execute(
        query("queue/list_states"),
        {
            "ids": [reference.id for reference in references],
            "times": [reference.scheduled_send_time for reference in references],
        },
    )
    rows: list[Any] = await cursor.fetchall()
    return {Reference(identity, time): Status(status) for identity, time, status in rows}


async def held(connection: AsyncConnection, limit: int) -> list[HeldMessage]:
    """Return up to limit of the messages that wait for a person, the longest first."""
    cursor = await connection.execute(query("queue/list_held"), {"limit": limit})
    rows: list[Any] = await cursor.fetchall()
    return [HeldMessage(*row) for row in rows]


async def take_out_waiting(connection: AsyncConnection) -> int:
    """Make QUEUED rows that nobody has in hand due again; return how many those were."""
    return (await connection.execute(query("queue/take_out_waiting"))).rowcount


def release_held(connection: Connection, ids: Sequence[UUID] | None, by: str) -> list[UUID]:
    """Let held messages be tried again, those with ids or all; return which those were."""
    return _changed(connection, "queue/release_held", ids, by=by)


def record_as_sent(connection: Connection, ids: Sequence[UUID] | None, by: str) -> list[UUID]:
    """Record held messages as SENT, those with ids or all; return which those were."""
    return _changed(connection, "queue/record_as_sent", ids, by=by)


def retry_failed(
    connection: Connection, ids: Sequence[UUID] | None, by: str, now: datetime, since: datetime
) -> list[UUID]:
    """Let FAILED messages be tried again, those with ids or all; return which those were.

    Left out is what is too late at now, what was due before since, and whose user was deleted.
    """
    return _changed(connection, "queue/retry_failed", ids, by=by, now=now, since=since)


def _changed(
    connection: Connection, statement: str, ids: Sequence[UUID] | None, **parameters: object
) -> list[UUID]:
    wanted = None if ids is None else list(ids)
    rows: list[Any] = connection.execute(query(statement), {"ids": wanted, **parameters}).fetchall()
    return [identity for (identity,) in rows]
