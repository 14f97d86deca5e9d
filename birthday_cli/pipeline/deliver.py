"""Third step: the worker. Receives references, claims, sends, records, and then acknowledges."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from birthday_cli.brokers.base import Broker, Delivery
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.channels.base import Channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import AsyncConnection, Pool
from birthday_cli.db.messages import Result
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import backoff, next_status
from birthday_cli.domain.states import Status
from birthday_cli.errors import BrokerUnreachable, DatabaseUnreachable

_POLL = 0.5
_POLL_UNTIL_EMPTY = 0.05
# A reference may be on its way to us, neither waiting at the broker nor here yet: look twice.
_EMPTY_ENOUGH = 2
_RECORD_BATCH = 500
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

T = TypeVar("T")
P = ParamSpec("P")


@dataclass
class Delivered:
    """What became of the references that a worker received.

    `skipped` were somebody else's, done, or not due; `unknown` have no row; `taken_away` were sent,
    but their lease had run out and another recorded first.
    """

    sent: int = 0
    retrying: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    taken_away: int = 0

    @property
    def total(self) -> int:
        """How many references that makes."""
        return sum(astuple(self))


class _Claimed(NamedTuple):
    message: Message
    broker: Broker
    delivery: Delivery


class _Sent(NamedTuple):
    claimed: _Claimed
    result: Result


class Worker:
    """One event loop: one claimer, a fixed number of senders, one recorder, queues between them."""

    def __init__(
        self, settings: Settings, conninfo: str, pool: Pool, channel: Channel, clock: Clock
    ) -> None:
        self.delivered = Delivered()
        self._settings = settings
        self._rules = ruling.of(settings)
        self._conninfo = conninfo
        self._pool = pool
        self._channel = channel
        self._clock = clock
        self._stop = asyncio.Event()
        self._claimed: asyncio.Queue[_Claimed] = asyncio.Queue()
        self._sent: asyncio.Queue[_Sent] = asyncio.Queue()
        self._in_hand = 0
        self._progress = asyncio.Condition()
        self._random = random.Random()

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is in hand is recorded and acknowledged."""
        self._stop.set()

    async def settled(self, number: int) -> None:
        """Wait until so many references have been dealt with, one way or another."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.delivered.total >= number)

    async def run(self, until_empty: bool = False) -> Delivered:
        """Deliver until `stop` is called or, with until_empty, until nothing is left in the queue.

        A lost broker is connected to again; a database that is away is waited for as long as a
        lease lasts. Raises BrokerUnreachable when the first connection fails, and psycopg's errors
        when the database stays away or refuses; what was not recorded then is delivered again.
        """
        receiving = asyncio.create_task(self._receive(until_empty))
        others = [asyncio.create_task(self._record())]
        others += [
            asyncio.create_task(self._send()) for _ in range(self._settings.worker_concurrency)
        ]
        try:
            done, _ = await asyncio.wait([receiving, *others], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (receiving, *others):
                task.cancel()
            await asyncio.gather(receiving, *others, return_exceptions=True)
        return self.delivered

    async def _receive(self, until_empty: bool) -> None:
        pause, connected = _FIRST_PAUSE, False
        while not self._stop.is_set():
            try:
                async with connect_broker(self._settings, self._conninfo) as broker:
                    connected, pause = True, _FIRST_PAUSE
                    await broker.consume(self._settings.worker_prefetch)
                    await self._claim_from(broker, until_empty)
                    await broker.stop_consuming()
                    await self._until_in_hand(0)
                    return
            except (BrokerUnreachable, DatabaseUnreachable):
                if not connected:
                    raise
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        await self._until_in_hand(0)

    async def _claim_from(self, broker: Broker, until_empty: bool) -> None:
        # Claimed just in time, in batches: enough for every sender, and no more, is in hand, which
        # bounds what a kill leaves in doubt.
        concurrency = self._settings.worker_concurrency
        empty = 0
        while not self._stop.is_set() and empty < _EMPTY_ENOUGH:
            await self._until_in_hand(concurrency)
            deliveries = await broker.receive(
                2 * concurrency - self._in_hand, _POLL_UNTIL_EMPTY if until_empty else _POLL
            )
            if deliveries:
                empty = 0
                await self._claim(broker, deliveries)
            elif until_empty and not self._in_hand and not (await broker.depth()).ready:
                empty += 1

    async def _claim(self, broker: Broker, deliveries: Sequence[Delivery]) -> None:
        references = [delivery.reference for delivery in deliveries]
        lease = timedelta(seconds=self._settings.worker_lease)
        now = self._clock.now()
        quiet = self._rules.quiet_zones(now)
        claimed = await self._with_database(messages.claim, references, now, quiet, lease)
        by_id = {delivery.reference.id: delivery for delivery in deliveries}
        self._in_hand += len(claimed)
        for message in claimed:
            self._claimed.put_nowait(_Claimed(message, broker, by_id[message.id]))
        mine = {id(by_id[message.id]) for message in claimed}
        if others := [delivery for delivery in deliveries if id(delivery) not in mine]:
            await self._settle_unclaimed(broker, others)

    async def _settle_unclaimed(self, broker: Broker, deliveries: Sequence[Delivery]) -> None:
        references = [delivery.reference for delivery in deliveries]
        known = await self._with_database(messages.known, references)
        done = [delivery for delivery in deliveries if delivery.reference.id in known]
        unknown = [delivery for delivery in deliveries if delivery.reference.id not in known]
        self.delivered.skipped += len(done)
        self.delivered.unknown += len(unknown)
        if done:
            await broker.acknowledge(done)
        if unknown:
            await broker.reject(unknown, "there is no message with this id and send time")
        async with self._progress:
            self._progress.notify_all()

    async def _send(self) -> None:
        while True:
            claimed = await self._claimed.get()
            message = claimed.message
            outcome = await self._channel.send(message)
            attempt = message.retry_count + 1
            status = next_status(outcome, attempt, self._settings.worker_max_attempts)
            pause = None
            if status is Status.RETRYING:
                pause = timedelta(
                    seconds=max(backoff(attempt, self._random), outcome.retry_after or 0)
                )
            result = Result(
                message=message,
                status=status,
                sent_at=self._clock.now() if status is Status.SENT else None,
                pause=pause,
                code=outcome.code,
                body=outcome.body,
                error=outcome.error,
            )
            self._sent.put_nowait(_Sent(claimed, result))

    async def _record(self) -> None:
        while True:
            batch = [await self._sent.get()]
            while len(batch) < _RECORD_BATCH and not self._sent.empty():
                batch.append(self._sent.get_nowait())
            results = [sent.result for sent in batch]
            recorded = await self._with_database(messages.record, results)
            for result in results:
                self._count(result, recorded=result.message.id in recorded)
            await self._acknowledge([sent.claimed for sent in batch])
            async with self._progress:
                self._in_hand -= len(batch)
                self._progress.notify_all()

    def _count(self, result: Result, recorded: bool) -> None:
        if not recorded:
            self.delivered.taken_away += 1
        elif result.status is Status.SENT:
            self.delivered.sent += 1
        elif result.status is Status.RETRYING:
            self.delivered.retrying += 1
        else:
            self.delivered.failed += 1

    async def _acknowledge(self, batch: Sequence[_Claimed]) -> None:
        for broker in {id(claimed.broker): claimed.broker for claimed in batch}.values():
            # On a connection that was lost they are delivered again, and then found to be done.
            with suppress(BrokerUnreachable, DatabaseUnreachable):
                await broker.acknowledge(
                    [claimed.delivery for claimed in batch if claimed.broker is broker]
                )

    async def _until_in_hand(self, most: int) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: self._in_hand <= most)

    async def _with_database(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        # A statement whose commit was in doubt may run twice: claiming and recording compare before
        # they set, so the second run changes nothing.
        give_up = asyncio.get_running_loop().time() + self._settings.worker_lease
        pause = 0.1
        while True:
            try:
                async with self._pool.connection() as connection:
                    return await work(connection, *args, **kwargs)
            except (psycopg.OperationalError, PoolTimeout):
                if asyncio.get_running_loop().time() >= give_up:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
