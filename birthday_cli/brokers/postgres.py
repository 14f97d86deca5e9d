"""The Postgres broker: the QUEUED rows of message_logs are the queue, a lease is a delivery.

It needs no server beside the database. Nothing tells a consumer that rows have come: a notification
could only be sent before the dispatcher marks them QUEUED, so consumers look for themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg

from birthday_cli.brokers.base import DeadLetter, Delivery, Depth
from birthday_cli.config import Settings
from birthday_cli.db.connect import AsyncConnection, connect_async, explained
from birthday_cli.db.queries import query
from birthday_cli.domain.message import Reference
from birthday_cli.errors import DatabaseUnreachable

# Seconds between two looks at an empty queue: the first pause, doubled up to the last.
_FIRST_PAUSE = 0.002
_LAST_PAUSE = 0.25


class PostgresBroker:
    """One database connection. A lost one raises DatabaseUnreachable: the broker is the database.

    Rows that a killed consumer had in hand come back when their lease (WORKER_LEASE) ends.
    """

    def __init__(self, connection: AsyncConnection, conninfo: str, lease: timedelta) -> None:
        self._connection = connection
        self._conninfo = conninfo
        self._lease = lease
        self._prefetch = 0
        self._last_tag = 0
        self._held: dict[int, tuple[Reference, datetime]] = {}
        self._has_room = asyncio.Event()
        self._pause = _FIRST_PAUSE
        self._waiting: list[Delivery] = []
        self._has_backlog = False
        self._ahead: asyncio.Task[list[Delivery]] | None = None

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Confirm everything: a row is in this queue once the dispatcher marks it QUEUED."""
        return list(references)

    async def consume(self, prefetch: int) -> None:
        """Start to receive, with at most prefetch references unsettled at any time."""
        self._prefetch = prefetch

    async def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return what waits, up to limit, as soon as there is any; [] after wait seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            if taken := await self._next(limit):
                self._pause = _FIRST_PAUSE
                return taken
            if loop.time() >= deadline:
                return []
            self._has_room.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(loop.time() + self._pause, deadline)):
                    await self._has_room.wait()
            self._pause = min(2 * self._pause, _LAST_PAUSE)

    async def _next(self, limit: int) -> list[Delivery]:
        """Return up to limit; from a backlog, lease as many again while those are worked on."""
        await self._finish_leasing()
        if not self._waiting:
            self._waiting = await self._take(limit)
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        if self._has_backlog and not self._waiting:
            self._ahead = asyncio.create_task(self._take(limit))
        return taken

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget deliveries: a row that was claimed is QUEUED no more, so nothing delivers it.

        One that nobody claimed leaves the queue as it came, to be dispatched again if it is still
        due: acknowledged it may not be delivered again, and unsent it may not be lost.
        """
        await self._settle("queue/take_out", deliveries)

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries back, for any consumer."""
        await self._settle("queue/put_back", deliveries)

    async def reject(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Fail the rows, with the reason: a dead letter is a FAILED row here."""
        await self._settle("queue/fail", deliveries, reason=reason)

    async def stop_consuming(self) -> None:
        """Receive nothing more, and put back what was leased and not handed out."""
        self._prefetch = 0
        await self._finish_leasing()
        waiting, self._waiting = self._waiting, []
        await self.release(waiting)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:  # noqa: ARG002
        """Return []: what was put aside are FAILED rows, and nothing is in another place."""
        return []

    async def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Do nothing, as there are no letters."""

    async def depth(self) -> Depth:
        """Return how many rows wait; none is counted as dead, those are FAILED rows."""
        cursor = await self._execute("queue/count_waiting")
        counted: Any = await cursor.fetchone()
        return Depth(ready=counted[0], dead=0)

    async def purge(self) -> int:
        """Take out every row that waits, to be dispatched again; return how many those were."""
        return (await self._execute("queue/take_out_waiting")).rowcount

    async def release_all(self) -> None:
        """Put back whatever is in hand, without waiting for the leases to end."""
        await self._finish_leasing()
        await self.release([Delivery(held[0], tag) for tag, held in self._held.items()])

    async def _finish_leasing(self) -> None:
        if self._ahead:
            leasing, self._ahead = self._ahead, None
            self._waiting += await leasing

    async def _take(self, limit: int) -> list[Delivery]:
        limit = min(limit, self._prefetch - len(self._held))
        if limit <= 0:
            return []
        cursor = await self._execute("queue/lease_next", limit=limit, lease=self._lease)
        rows: list[Any] = await cursor.fetchall()
        deliveries = []
        for identity, send_time, lease_end in rows:
            self._last_tag += 1
            delivery = Delivery(Reference(identity, send_time), self._last_tag)
            self._held[delivery.tag] = delivery.reference, lease_end
            deliveries.append(delivery)
        self._has_backlog = len(deliveries) == limit
        return deliveries

    async def _settle(
        self, statement: str, deliveries: Sequence[Delivery], **parameters: object
    ) -> None:
        held = {d.tag: self._held[d.tag] for d in deliveries if d.tag in self._held}
        if held:
            await self._execute(
                statement,
                ids=[reference.id for reference, _ in held.values()],
                times=[reference.scheduled_send_time for reference, _ in held.values()],
                leases=[lease_end for _, lease_end in held.values()],
                **parameters,
            )
        if len(self._held) >= self._prefetch:
            self._has_room.set()
        for tag in held:
            self._held.pop(tag, None)

    async def _execute(
        self, statement: str, **parameters: object
    ) -> psycopg.AsyncCursor[tuple[object, ...]]:
        with explained(self._conninfo):
            return await self._connection.execute(query(statement), parameters, prepare=True)


@asynccontextmanager
async def connect(settings: Settings, conninfo: str) -> AsyncIterator[PostgresBroker]:
    """Yield a connection to the queue in the database at conninfo.

    Raises DatabaseUnreachable within the connect time-out.
    """
    async with connect_async(conninfo, settings, "bdaysched queue") as connection:
        await connection.execute(query("queue/set_session"))
        broker = PostgresBroker(connection, conninfo, timedelta(seconds=settings.worker_lease))
        try:
            yield broker
        finally:
            with suppress(DatabaseUnreachable):  # then the leases end by themselves
                await broker.release_all()
