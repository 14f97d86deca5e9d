"""Statements by which a simulation gives its own time to what it makes happen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query


def due_instants(connection: Connection, since: datetime, until: datetime) -> list[datetime]:
    """Return the instants after since, up to until, at which messages are due."""
    bounds = {"since": since, "until": until}
    rows: list[Any] = connection.execute(query("simulation/list_due_instants"), bounds).fetchall()
    return [instant for (instant,) in rows]


def change_user(
    connection: Connection,
    user_id: UUID,
    now: datetime,
    first_name: str | None = None,
    timezone: str | None = None,
    birthday_date: str | None = None,
    delete: bool = False,
) -> None:
    """Change what is given of a user, at now."""
    connection.execute(
        query("simulation/change_user"),
        {
            "id": user_id,
            "now": now,
            "first_name": first_name,
            "timezone": timezone,
            "birthday_date": birthday_date,
            "delete": delete,
        },
    )


def date_users(
    connection: Connection, user_ids: Sequence[UUID], now: datetime, added: bool
) -> None:
    """Let users have been changed at now, or added."""
    columns = {"ids": list(user_ids), "now": now, "added": added}
    connection.execute(query("simulation/date_users"), columns)


def date_messages(connection: Connection, since: datetime, now: datetime) -> None:
    """Let messages that were planned since a real instant have been planned at now."""
    connection.execute(query("simulation/date_messages"), {"since": since, "now": now})
