"""The pause: an operator keeps all workers from taking anything new."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from birthday_cli.db.connect import AsyncConnection, Connection
from birthday_cli.db.queries import query


class Pause(NamedTuple):
    """Who paused delivery, since when and, if they said so, until when and why.

    `until` is None for a pause that lasts until it is taken back.
    """

    by: str
    since: datetime
    until: datetime | None
    reason: str | None


async def current(connection: AsyncConnection) -> Pause | None:
    """Return the pause that holds now, by the database's clock; None when there is none."""
    row: Any = await (await connection.execute(query("queue/find_pause"))).fetchone()
    return Pause(*row) if row else None


def seen(connection: Connection) -> Pause | None:
    """Return what `current` does."""
    row: Any = connection.execute(query("queue/find_pause")).fetchone()
    return Pause(*row) if row else None


def pause(
    connection: Connection, by: str, time: timedelta | None, reason: str | None = None
) -> Pause:
    """Pause for a time from now on, or without end; a pause that holds is replaced."""
    parameters = {"by": by, "time": time, "reason": reason}
    row: Any = connection.execute(query("queue/pause"), parameters).fetchone()
    return Pause(*row)


def resume(connection: Connection) -> Pause | None:
    """End the pause; return it, or None when there was none or it was over."""
    row: Any = connection.execute(query("queue/resume")).fetchone()
    return Pause(*row) if row else None
