"""What an operator sees: one screen of status, and the monitoring tables."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from birthday_cli.brokers.base import Depth
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.config import Settings
from birthday_cli.db import cache, migrations_check, migrations_record, monitoring, partitions
from birthday_cli.db.connect import connect, connect_to, database
from birthday_cli.db.monitoring import Table
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError


@dataclass(frozen=True)
class Status:
    """Where things stand. `queue` and `schema` hold a sentence instead when something is wrong."""

    schema: str
    pending_migrations: list[str]
    last_month: str | None
    months_ahead: int
    today: dict[str, int]
    oldest_unsent: datetime | None
    queue: Depth | str
    worker_connections: int
    redis: str


def status(settings: Settings, now: datetime) -> Status:
    """Return where things stand; `today` is the day in UTC. Raises NotUpToDate without a schema."""
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched status") as connection,
    ):
        partitions.require_table(connection)
        pending = [migration.file for migration in migrations_check.pending(connection)]
        applied = migrations_record.applied(connection)
        months = [
            partition.month for partition in partitions.existing(connection, partitions.MESSAGES)
        ]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Status(
            schema=max(applied, default="none"),
            pending_migrations=pending,
            last_month=str(months[-1]) if months else None,
            months_ahead=months[-1].months_after(Month.of(now)) if months else 0,
            today=monitoring.messages_of_day(connection, midnight),
            oldest_unsent=monitoring.oldest_unsent(connection, now),
            queue=_queue(settings, conninfo),
            worker_connections=monitoring.worker_connections(connection),
            redis=cache.state(settings),
        )


def _queue(settings: Settings, conninfo: str) -> Depth | str:
    async def ask() -> Depth:
        async with connect_broker(settings, conninfo) as broker:
            return await broker.depth()

    try:
        return asyncio.run(ask())
    except BdayschedError as problem:
        return str(problem)


def table(settings: Settings, name: str) -> Table:
    """Return the monitoring table called name; UsageError, with the choices, if there is none."""
    with connect(settings, "bdaysched monitor") as connection:
        return monitoring.table(connection, name)


def tables() -> dict[str, str]:
    """Return the monitoring tables there are, with their titles."""
    return monitoring.names()
