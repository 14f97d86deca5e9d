"""The queue from an operator's side: how full it is; paused, resumed, and built anew."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from birthday_cli.brokers.base import Broker, Depth
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.config import Settings
from birthday_cli.db import monitoring, pausing
from birthday_cli.db import queue as rows
from birthday_cli.db.connect import connect, connect_async, connect_to, database
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.pausing import Pause
from birthday_cli.db.queue import UnderWay
from birthday_cli.errors import BdayschedError, UsageError, redact
from birthday_cli.pipeline.dispatch import Dispatched, dispatch

T = TypeVar("T")


@dataclass(frozen=True)
class QueueStatus:
    """How full the queue is. `depth` is None when the broker did not tell, and `problem` is why."""

    broker: str
    depth: Depth | None
    problem: str | None
    rows: UnderWay
    pause: Pause | None
    worker_connections: int


@dataclass(frozen=True)
class Rebuilt:
    """How many references were removed, and how many messages are due again, and were queued.

    `dispatched` is None of a dry run, which does not look for what else is due.
    """

    purged: int
    requeued: int
    dispatched: Dispatched | None = None


def person() -> str:
    """Return who runs this program, as USER@HOST: for the record, and no proof."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def status(settings: Settings) -> tuple[QueueStatus, BdayschedError | None]:
    """Return how full the queue is, and what kept the broker from telling, if anything did."""
    with database(settings) as conninfo:
        with connect_to(conninfo, settings, "bdaysched queue status") as connection:
            workers = monitoring.worker_connections(connection)
        return asyncio.run(_status(settings, conninfo, workers))


async def _status(
    settings: Settings, conninfo: str, workers: int
) -> tuple[QueueStatus, BdayschedError | None]:
    async with connect_async(conninfo, settings, "bdaysched queue status") as connection:
        under_way = await rows.under_way(connection)
        pause = await pausing.current(connection)
    depth, problem = await ask_broker(settings, conninfo, lambda broker: broker.depth())
    text = str(problem) if problem else None
    url = redact(settings.broker_url)
    return QueueStatus(url, depth, text, under_way, pause, workers), problem


async def ask_broker(
    settings: Settings, conninfo: str, question: Callable[[Broker], Awaitable[T]]
) -> tuple[T | None, BdayschedError | None]:
    """Return the broker's answer, or None and what kept it from answering.

    Raises UsageError for a BROKER_URL that is not one.
    """
    try:
        async with connect_broker(settings, conninfo) as broker:
            return await question(broker), None
    except UsageError:
        raise
    except BdayschedError as problem:
        return None, problem


def pause(
    settings: Settings, time: timedelta | None, reason: str | None, dry_run: bool = False
) -> Pause:
    """Keep all workers from taking anything new, for a time or until `resume`.

    What they have in hand they finish. By the database's clock; a pause that holds is replaced.
    """
    with (
        connect(settings, "bdaysched queue pause") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        return pausing.pause(connection, person(), time, reason)


def resume(settings: Settings, dry_run: bool = False) -> Pause | None:
    """End the pause; return it, or None when nothing was paused."""
    with (
        connect(settings, "bdaysched queue resume") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        return pausing.resume(connection)


def rebuild(settings: Settings, now: datetime, wait: float = 0) -> Rebuilt:
    """Empty the queue, and fill it again from the database with what is due at now.

    What workers have in hand stays theirs. Killed at any point, it leaves rows that are due or
    QUEUED, and references too many: another run ends it, and so does `schedule` in time.

    Raises Locked if another run of it, or of `schedule`, is under way for longer than `wait`
    seconds, and what connecting raises, before anything is changed.
    """
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched queue rebuild") as connection,
        advisory_lock(connection, Lock.SCHEDULE, wait=wait),
    ):
        return asyncio.run(_rebuild(settings, conninfo, now))


async def _rebuild(settings: Settings, conninfo: str, now: datetime) -> Rebuilt:
    async with (
        connect_async(conninfo, settings, "bdaysched queue rebuild") as connection,
        connect_broker(settings, conninfo) as broker,
    ):
        # Where the rows are the queue, these are all of it, and nothing is left to purge.
        requeued = await rows.take_out_waiting(connection)
        purged = await broker.purge()
        return Rebuilt(purged, requeued, await dispatch(connection, broker, settings, now))


def would_rebuild(settings: Settings) -> Rebuilt:
    """Return what `rebuild` would remove and make due again."""
    with database(settings) as conninfo:
        return asyncio.run(_would_rebuild(settings, conninfo))


async def _would_rebuild(settings: Settings, conninfo: str) -> Rebuilt:
    async with (
        connect_async(conninfo, settings, "bdaysched queue rebuild") as connection,
        connect_broker(settings, conninfo) as broker,
    ):
        waiting = (await rows.under_way(connection)).waiting
        are_the_queue = settings.broker_url.startswith("postgres:")
        return Rebuilt(0 if are_the_queue else (await broker.depth()).ready, waiting)
