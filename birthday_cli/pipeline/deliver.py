"""Third step: the worker. Receives references, claims, sends, records, and then acknowledges."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from birthday_cli.brokers.base import Broker, Delivery
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.channels.base import Channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import Pool
from birthday_cli.db.messages import Claim, Result
from birthday_cli.db.patience import PatientDatabase
from birthday_cli.db.rate_limit import RateLimit
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import BrokerUnreachable, DatabaseUnreachable
from birthday_cli.pipeline.worker.at_most import AtMost
from birthday_cli.pipeline.worker.gate import Allowance, Gate
from birthday_cli.pipeline.worker.in_hand import Held, InHand, settle_references
from birthday_cli.pipeline.worker.results import about, result_of
from birthday_cli.pipeline.worker.tally import Delivered, Tally

if TYPE_CHECKING:
    from birthday_cli.telemetry.metrics import WorkerMetrics

log = logging.getLogger(__name__)

_POLL = 0.5
_POLL_UNTIL_EMPTY = 0.05
# A reference may be on its way to us, neither waiting at the broker nor here yet: look twice.
_EMPTY_ENOUGH = 2
_RECORD_BATCH = 500
# In multiples of the concurrency: claimed and not begun at most, and when to claim more.
_CLAIM_TO = 8
_CLAIM_AT = 4
# One at a time, a message would wait for the commit of those before it, and then for its own.
_CLAIMS_AT_ONCE = 4
_RECORDS_AT_ONCE = 2
IN_DOUBT = 4
"""In multiples of the concurrency, posted and not recorded at most: what a kill leaves in doubt."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class _Done(NamedTuple):
    """A message that leaves the hand: with a result, or as it came."""

    held: Held
    result: Result | None


class Worker:
    """One event loop: a claimer, a fixed number of senders, recorders, and queues between them."""

    def __init__(
        self,
        settings: Settings,
        conninfo: str,
        pool: Pool,
        channel: Channel,
        clock: Clock,
        limit: RateLimit | None = None,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self.is_connected = False
        self.under_way = 0
        self._settings = settings
        self._rules = ruling.of(settings)
        self._conninfo = conninfo
        self.database = PatientDatabase(pool, patience=settings.worker_lease)
        self._channel = channel
        self._clock = clock
        self._limit = limit or RateLimit(0)
        self._tally = Tally(metrics)
        self._random = random.Random()
        self.gate = Gate(settings.worker_breaker, self._random)
        self._stop = asyncio.Event()
        self._claims = AtMost(_CLAIMS_AT_ONCE)
        self._being_claimed = 0
        self._claimed: asyncio.Queue[Held] = asyncio.Queue()
        self._done: asyncio.Queue[_Done] = asyncio.Queue()
        self._in_hand = InHand(settings.worker_lease)
        self._claim_at = _CLAIM_AT * settings.worker_concurrency
        self._in_doubt = asyncio.Semaphore(IN_DOUBT * settings.worker_concurrency)
        self._progress = asyncio.Event()

    @property
    def delivered(self) -> Delivered:
        """What became so far of the references that were received."""
        return self._tally.delivered

    @property
    def _ahead(self) -> int:
        """How many are claimed and not begun, or about to be."""
        return self._being_claimed + self._claimed.qsize()

    def stop(self) -> None:
        """Take nothing more, and send nothing more; `run` returns when the hand is empty.

        What is under way may end within worker_drain_timeout.
        """
        self._stop.set()

    async def settled(self, number: int) -> None:
        """Wait until so many references have been dealt with, one way or another."""
        await self._until(lambda: self.delivered.total >= number)

    async def run(self, until_empty: bool = False) -> Delivered:
        """Deliver until `stop` is called or, with until_empty, until nothing is left in the queue.

        With until_empty it also returns when the gate has closed. A lost broker is connected to
        again; a database that is away is waited for as long as a lease lasts. Raises
        BrokerUnreachable when the first connection fails, and psycopg's errors when the database
        stays away or refuses; what was not recorded then is delivered again.
        """
        senders = [
            asyncio.create_task(self._send()) for _ in range(self._settings.worker_concurrency)
        ]
        receiving = asyncio.create_task(self._receive(until_empty, senders))
        renewing = self._in_hand.keep_renewing(self.database, self._tally.renewed)
        recorders = [asyncio.create_task(self._record()) for _ in range(_RECORDS_AT_ONCE)]
        tasks = {receiving, asyncio.create_task(renewing), *recorders, *senders}
        try:
            running = tasks
            while not receiving.done():
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    # The others have no end: one that ends has failed, or the drain was over.
                    if not task.cancelled():
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.delivered

    async def _receive(self, until_empty: bool, senders: Sequence[asyncio.Task[None]]) -> None:
        pause, connected_once = _FIRST_PAUSE, False
        while not self._stop.is_set():
            try:
                async with connect_broker(self._settings, self._conninfo) as broker:
                    if connected_once:
                        self._tally.reconnected()
                    self.is_connected = connected_once = True
                    pause = _FIRST_PAUSE
                    log.info("connected to the broker")
                    await self._claim_all(broker, until_empty)
                    await broker.stop_consuming()
                    await self._drain(senders)
                    return
            except (BrokerUnreachable, DatabaseUnreachable) as problem:
                if not connected_once:
                    raise
                log.warning("lost the broker, connecting again", extra={"error": str(problem)})
            finally:
                self.is_connected = False
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        await self._drain(senders)

    async def _claim_all(self, broker: Broker, until_empty: bool) -> None:
        try:
            await self._claim_from(broker, until_empty)
        except asyncio.CancelledError:
            self._claims.cancel()
            raise
        finally:
            await self._claims.finish()

    async def _claim_from(self, broker: Broker, until_empty: bool) -> None:
        # Claimed ahead, in batches: no sender waits for a commit, and the server has few of them.
        claim_to = _CLAIM_TO * self._settings.worker_concurrency
        consuming = empty = 0
        while not self._stop.is_set() and empty < _EMPTY_ENOUGH:
            allowance = self.gate.allowance()
            if allowance is Allowance.NONE:
                # Between probes one reference stays here: a broker counts what comes back to it.
                if consuming > 1 or (consuming and self.gate.pause):
                    await broker.stop_consuming()
                    consuming = 0
                if until_empty:
                    return
                await self._or_stop(self.gate.wait())
                continue
            prefetch = self._settings.worker_prefetch if allowance is Allowance.ALL else 1
            if consuming != prefetch:
                if consuming:
                    await broker.stop_consuming()
                await broker.consume(prefetch)
                consuming = prefetch
            is_probe = allowance is Allowance.ONE
            await self._claims.room()
            if self._ahead > self._claim_at:
                await self._or_stop(self._until(lambda: self._ahead <= self._claim_at))
                continue
            deliveries = await broker.receive(
                1 if is_probe else claim_to - self._ahead,
                _POLL_UNTIL_EMPTY if until_empty else _POLL,
            )
            if deliveries:
                empty = 0
                await self._claim_at_the_rate(broker, deliveries, is_probe)
            elif until_empty and not self._being_claimed and not len(self._in_hand):
                empty += not (await broker.depth()).ready

    async def _claim_at_the_rate(
        self, broker: Broker, deliveries: Sequence[Delivery], is_probe: bool
    ) -> None:
        while deliveries and not self._stop.is_set() and (self.gate.is_open or is_probe):
            permits = await self._limit.take(len(deliveries))
            await self._claims.room()
            self._being_claimed += permits
            self._claims.start(self._claim(broker, deliveries[:permits], is_probe))
            deliveries = deliveries[permits:]
        if deliveries:
            await broker.release(deliveries)

    async def _claim(self, broker: Broker, deliveries: Sequence[Delivery], is_probe: bool) -> None:
        try:
            now = self._clock.now()
            lease = self._in_hand.new_lease()
            found = await self.database.do(
                messages.claim,
                [delivery.reference for delivery in deliveries],
                now,
                self._rules.quiet_zones(now),
                lease.token,
                timedelta(seconds=self._settings.worker_lease),
            )
            # A reference that came twice is sent once: the other copy is somebody else's.
            by_id = {delivery.reference.id: delivery for delivery in deliveries}
            claims = [Claim(message, lease.token) for message in found]
            self._in_hand.take(lease, claims)
            for claim in claims:
                delivery = by_id[claim.message.id]
                self._claimed.put_nowait(Held(claim, lease, broker, delivery, is_probe))
            mine = {by_id[claim.message.id].tag for claim in claims}
            if others := [delivery for delivery in deliveries if delivery.tag not in mine]:
                await self._settle_unclaimed(broker, others)
        finally:
            self._being_claimed -= len(deliveries)
            self._progress.set()

    async def _settle_unclaimed(self, broker: Broker, deliveries: Sequence[Delivery]) -> None:
        references = [delivery.reference for delivery in deliveries]
        known = await self.database.do(messages.known, references)
        done = [delivery for delivery in deliveries if delivery.reference.id in known]
        unknown = [delivery for delivery in deliveries if delivery.reference.id not in known]
        self._tally.add("skipped", len(done))
        self._tally.add("unknown", len(unknown))
        if done:
            await broker.acknowledge(done)
        for delivery in unknown:
            log.error("no such message", extra={"message_id": delivery.reference.id})
        if unknown:
            await broker.reject(unknown, "there is no message with this id and send time")
        self._progress.set()

    async def _send(self) -> None:
        while True:
            # First, so that nothing is in the hands of a sender that is cancelled while it waits.
            await self._in_doubt.acquire()
            held = await self._claimed.get()
            if self._ahead == self._claim_at:
                self._progress.set()
            if self._stop.is_set() or not (self.gate.is_open or held.is_probe):
                self._done.put_nowait(_Done(held, None))
            elif not held.may_be_sent:
                log.warning("not sent: the lease ran out", extra=about(held.claim))
                self._done.put_nowait(_Done(held, None))
            else:
                await self._attempt(held)

    async def _attempt(self, held: Held) -> None:
        self.under_way += 1
        try:
            outcome = await self._channel.send(held.claim.message)
        except asyncio.CancelledError:
            error = "the worker stopped before there was an answer"
            self._finish(held, Outcome(OutcomeClass.AMBIGUOUS, error=error))
            raise
        finally:
            self.under_way -= 1
        self.gate.note(outcome)
        self._finish(held, outcome)

    def _finish(self, held: Held, outcome: Outcome) -> None:
        self._tally.attempted(outcome.kind)
        now, policy = self._clock.now(), self._rules.retry
        result = result_of(held.claim, outcome, now, policy, self._random)
        self._done.put_nowait(_Done(held, result))

    async def _record(self) -> None:
        while True:
            batch = [await self._done.get()]
            while len(batch) < _RECORD_BATCH and not self._done.empty():
                batch.append(self._done.get_nowait())
            tried = [done.held for done in batch if done.result]
            untried = [done.held for done in batch if not done.result]
            if results := [done.result for done in batch if done.result]:
                written = await self.database.do(messages.record, results)
                self._tally.recorded(tried, results, written, self._clock.now())
            if untried:
                claims = [held.claim for held in untried]
                await self.database.do(messages.hand_back, claims)
                self._tally.add("handed_back", len(untried))
            for _ in batch:
                self._in_doubt.release()
            await settle_references(tried, untried)
            self._in_hand.settle([done.held for done in batch])
            self._progress.set()

    async def _drain(self, senders: Sequence[asyncio.Task[None]]) -> None:
        while not self._claimed.empty():
            held = self._claimed.get_nowait()
            await self._in_doubt.acquire()
            self._done.put_nowait(_Done(held, None))
        try:
            async with asyncio.timeout(self._settings.worker_drain_timeout):
                await self._until(lambda: not len(self._in_hand))
        except TimeoutError:
            log.warning("giving up what is under way", extra={"under_way": self.under_way})
            for sender in senders:
                sender.cancel()
            await self._until(lambda: not len(self._in_hand))

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, which is looked at whenever something has been settled."""
        while not condition():
            self._progress.clear()
            await self._progress.wait()

    async def _or_stop(self, waiting: Coroutine[Any, Any, None]) -> None:
        """Return when waiting does, or `stop` was called."""
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._stop.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
