"""Which workers and schedulers there are: the rows that they keep of themselves."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import birthday_cli
from birthday_cli.db.connect import AsyncConnection, Connection
from birthday_cli.db.queries import query

Kind = Literal["worker", "scheduler"]

# Long enough for whoever comes in the morning to see what died in the night.
_SHOWN_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Beat:
    """What a process says of itself; see the comments on the table `heartbeats`.

    It is `age` old, and stale unless it says something again within `patience`.
    """

    id: UUID
    kind: Kind
    state: str
    age: timedelta
    patience: timedelta
    done: int = 0
    failed: int = 0
    rate: float | None = None


class Heartbeat(NamedTuple):
    """What is known of a process. `silent_for` is in seconds, `rate` in messages a second."""

    kind: Kind
    host: str
    pid: int
    version: str
    started_at: datetime
    last_beat_at: datetime
    stale: bool
    silent_for: float
    state: str
    done: int
    failed: int
    rate: float | None


async def beat(connection: AsyncConnection, beat: Beat) -> None:
    """Write the row of this process, in a commit that is not waited for."""
    async with connection.transaction():
        await connection.execute(query("heartbeats/set_patience"))
        await connection.execute(query("heartbeats/beat"), _parameters(beat))


async def end(connection: AsyncConnection, identity: UUID) -> None:
    """Remove the row of a process that ends in order."""
    async with connection.transaction():
        await connection.execute(query("heartbeats/set_patience"))
        await connection.execute(query("heartbeats/end"), {"id": identity})


def beat_and_forget(connection: Connection, beat: Beat) -> None:
    """Do what `beat` does, and remove rows of processes that have been stale for a day."""
    with connection.transaction():
        connection.execute(query("heartbeats/set_patience"))
        connection.execute(query("heartbeats/beat"), _parameters(beat))
        connection.execute(query("heartbeats/forget"), {"shown_for": _SHOWN_FOR})


def known(connection: Connection) -> list[Heartbeat]:
    """Return all workers and schedulers, the stale ones first."""
    rows: list[Any] = connection.execute(query("heartbeats/list")).fetchall()
    return [Heartbeat(*row) for row in rows]


def _parameters(beat: Beat) -> dict[str, Any]:
    return {
        **asdict(beat),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": birthday_cli.__version__,
    }
