"""Heartbeats: workers and schedulers say that they live. To fail at that never keeps them up."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_DNS, uuid4, uuid5

import psycopg
from psycopg_pool import PoolTimeout

from birthday_cli.db import heartbeats
from birthday_cli.db.connect import AsyncConnection, Connection, Pool, within
from birthday_cli.db.heartbeats import Beat
from birthday_cli.errors import described, redact
from birthday_cli.pipeline.worker.tally import Delivered

log = logging.getLogger(__name__)

INTERVAL = 5.0
# A few beats may be lost, as while the server starts again.
_PATIENCE = timedelta(seconds=4 * INTERVAL)
# So long for a connection of the pool, and then for the statement: work comes first.
_LONGEST = 1.0
# `schedule` is meant to run every minute, and a large run takes minutes.
_BETWEEN_RUNS = timedelta(minutes=5)
_LONGEST_RUN = timedelta(minutes=30)


@asynccontextmanager
async def beating(
    pool: Pool, delivered: Callable[[], Delivered], doing: Callable[[], str]
) -> AsyncIterator[None]:
    """Keep the row of a worker while the block runs, and remove it at the end.

    A process that is killed leaves its row, which is stale after some 20 s.
    """
    heart = _Heart(pool, delivered, doing)
    task = asyncio.create_task(heart.keep_beating())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await heart.stop()


class _Heart:
    def __init__(
        self, pool: Pool, delivered: Callable[[], Delivered], doing: Callable[[], str]
    ) -> None:
        self._pool = pool
        self._delivered = delivered
        self._doing = doing
        self._id = uuid4()
        self._began = self._beat_at = time.monotonic()
        self._sent = 0
        self._said = self._written = False

    async def keep_beating(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(INTERVAL)

    async def stop(self) -> None:
        # Where no beat got through just now, this would only make the end longer.
        if self._written:
            await self._try(lambda connection: heartbeats.end(connection, self._id))

    async def _beat(self) -> None:
        now, done = time.monotonic(), self._delivered()
        passed, sent = now - self._beat_at, done.sent - self._sent
        self._beat_at, self._sent = now, done.sent
        beat = Beat(
            self._id,
            "worker",
            self._doing(),
            timedelta(seconds=now - self._began),
            _PATIENCE,
            done.sent,
            done.retrying + done.failed,
            sent / passed if passed >= 1 else 0.0,
        )
        # Also when it is cancelled half-way.
        self._written = True
        self._written = await self._try(lambda connection: heartbeats.beat(connection, beat))

    async def _try(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> bool:
        try:
            async with (
                self._pool.connection(timeout=_LONGEST) as connection,
                within(connection, _LONGEST),
            ):
                await work(connection)
        except (psycopg.Error, PoolTimeout, OSError) as problem:
            if not self._said:
                log.warning("no heartbeat", extra={"error": described(problem)})
            self._said = True
            return False
        self._said = False
        return True


@dataclass
class Run:
    """One run of `schedule`, and how many messages it has queued."""

    queued: int = 0


@contextmanager
def a_run(connection: Connection, dry_run: bool = False) -> Iterator[Run]:
    """Say that this host's scheduler runs while the block does, and how it ended.

    All runs of a host share one row, so that a cron's processes leave one and not thousands. Of a
    dry run nothing is said.
    """
    run = Run()
    began = time.monotonic()
    identity = uuid5(NAMESPACE_DNS, f"scheduler.{socket.gethostname()}")

    def say(state: str, patience: timedelta, failed: int = 0) -> None:
        if dry_run:
            return
        passed = timedelta(seconds=time.monotonic() - began)
        beat = Beat(identity, "scheduler", state, passed, patience, run.queued, failed)
        try:
            heartbeats.beat_and_forget(connection, beat)
        except psycopg.Error as problem:
            log.debug("no heartbeat: %s", described(problem))

    say("running", _LONGEST_RUN)
    try:
        yield run
    except Exception as problem:
        say(f"failed: {redact(str(problem))}", _BETWEEN_RUNS, failed=1)
        raise
    say(f"done in {time.monotonic() - began:.1f} s", _BETWEEN_RUNS)
