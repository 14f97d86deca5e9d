"""RabbitMQ: a quorum queue with its dead-letter queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import Basic, BasicProperties

from birthday_cli.brokers import rabbitmq_topology
from birthday_cli.brokers.base import DeadLetter, Delivery, Depth
from birthday_cli.brokers.rabbitmq_dead import dead_letter, put_aside, with_reason
from birthday_cli.brokers.rabbitmq_link import Link, open_link
from birthday_cli.brokers.rabbitmq_publish import Letter, Publisher
from birthday_cli.brokers.tags import Unsettled
from birthday_cli.brokers.wire import decode, encode
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError, BrokerUnreachable

_PRECONDITION_FAILED = 406


class RabbitBroker:
    """A connection with one channel on which everything happens."""

    _link: Link
    _publisher: Publisher

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue = settings.broker_queue
        self._dead = rabbitmq_topology.dead(settings)
        self._consumer = ""
        self._unsettled = Unsettled()
        self._arrived: deque[Delivery] = deque()
        self._malformed: list[tuple[int, Letter]] = []

    async def open(self) -> None:
        """Connect, and declare the queues.

        Raises BrokerUnreachable within the connect time-out; BdayschedError if a queue exists with
        other arguments.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.broker_connect_timeout
        self._link = await open_link(self._settings, self._take)
        try:
            async with asyncio.timeout_at(deadline):
                await self._declare()
        except TimeoutError as problem:
            await self._link.close()
            why = f"no answer within {self._link.patience:g} s"
            raise self._link.unreachable(why) from problem
        except BrokerUnreachable as problem:
            closed = self._link.failure
            await self._link.close()
            if (
                not isinstance(closed, ChannelClosedByBroker)
                or closed.reply_code != _PRECONDITION_FAILED
            ):
                raise
            raise BdayschedError(
                f"the queue {self._queue} exists with other settings ({closed.reply_text}): set"
                " BROKER_DELIVERY_LIMIT back, or name another BROKER_QUEUE, or delete the queue:"
                " `bdaysched schedule` queues its messages again from the database"
            ) from problem
        except BaseException:
            await self._link.close()
            raise

    async def close(self) -> None:
        """Close the connection; what was received and not settled goes back to the queue."""
        await self._link.close()

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Publish persistent and mandatory; return those that were routed and confirmed."""
        letters = [Letter(str(reference.id), encode(reference)) for reference in references]
        kept = await self._publisher.publish(self._queue, letters)
        return [references[place] for place in kept]

    async def consume(self, prefetch: int) -> None:
        """Start to receive, with at most prefetch references unacknowledged at any time."""
        await self._link.call(self._link.channel.basic_qos, prefetch_count=prefetch)
        answer = await self._link.call(
            self._link.channel.basic_consume, self._queue, on_message_callback=self._on_message
        )
        self._consumer = answer.method.consumer_tag

    async def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return what has arrived, up to limit, as soon as there is any; [] after wait seconds.

        What is no reference is put aside with the reason, and never seen by the caller.
        """
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._link.until(lambda: bool(self._arrived or self._malformed))
            malformed, self._malformed = self._malformed, []
            await self._put_aside(malformed)
            if self._arrived or not malformed:
                return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Remove deliveries for good."""
        self._link.check()
        self._acknowledge([delivery.tag for delivery in deliveries])

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries back. Up to RabbitMQ 4.2 this counts towards the delivery limit."""
        self._link.check()
        self._release([delivery.tag for delivery in deliveries])

    async def reject(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Move deliveries to the dead-letter queue, with the reason in a header."""
        await self._put_aside(
            [
                (tag, with_reason(str(reference.id), encode(reference), reason))
                for reference, tag in deliveries
                if tag in self._unsettled
            ]
        )

    async def stop_consuming(self) -> None:
        """Receive nothing more; what was received can still be settled. Releases the rest."""
        self._link.check()
        if self._consumer:
            # What still arrives meanwhile, pika itself puts back.
            await self._link.call(self._link.channel.basic_cancel, self._consumer)
            self._consumer = ""
        unseen = [tag for _, tag in self._arrived] + [tag for tag, _ in self._malformed]
        self._arrived.clear()
        self._malformed.clear()
        self._release(unseen)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to limit of what was put aside, the oldest first; see Broker."""
        letters: list[DeadLetter] = []
        while len(letters) < limit and (found := await self._link.get(self._dead)):
            letters.append(dead_letter(*found))
            self._unsettled.add(letters[-1].tag)
        return letters

    async def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Remove for good what `dead_letters` of this connection has returned."""
        self._link.check()
        self._acknowledge([letter.tag for letter in letters])

    async def depth(self) -> Depth:
        """Return how full the queue is, by the broker's own counts."""
        ready, dead = [
            (
                await self._link.call(self._link.channel.queue_declare, name, passive=True)
            ).method.message_count
            for name in (self._queue, self._dead)
        ]
        return Depth(ready, dead)

    async def purge(self) -> int:
        """Remove every reference that waits; return how many those were."""
        answer = await self._link.call(self._link.channel.queue_purge, self._queue)
        return int(answer.method.message_count)

    async def _declare(self) -> None:
        channel = self._link.channel
        channel.add_on_cancel_callback(self._on_cancel)
        self._publisher = Publisher(self._link)
        await self._publisher.open()
        for queue in rabbitmq_topology.wanted(self._settings):
            await rabbitmq_topology.declare(self._link, queue)
            await self._link.call(channel.queue_bind, queue.name, queue.name, queue.name)

    async def _put_aside(self, letters: Sequence[tuple[int, Letter]]) -> None:
        if not letters:
            return
        self._link.check()
        kept = await put_aside(self._settings, self._dead, [letter for _, letter in letters])
        self._link.check()
        self._acknowledge([letters[place][0] for place in kept])
        # Those that could not be moved with the reason, the broker moves, when it can.
        for tag in self._unsettled.settle(tag for tag, _ in letters):
            self._link.channel.basic_reject(tag, requeue=False)

    def _acknowledge(self, tags: Sequence[int]) -> None:
        if last := self._unsettled.settle_first(tags):
            self._link.channel.basic_ack(last, multiple=True)
        for tag in self._unsettled.settle(tags):
            self._link.channel.basic_ack(tag)

    def _release(self, tags: Sequence[int]) -> None:
        for tag in self._unsettled.settle(tags):
            self._link.channel.basic_nack(tag, requeue=True)

    def _on_cancel(self, _: object) -> None:
        self._link.fail(RuntimeError(f"it has cancelled consuming from {self._queue}"))

    def _take(self, tag: int, body: bytes) -> bool:
        try:
            self._arrived.append(Delivery(decode(body), tag))
        except ValueError:
            return False
        self._unsettled.add(tag)
        self._link.ring()
        return True

    def _on_message(
        self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        # Only what was not taken, but for a reference that comes in several pieces.
        tag = method.delivery_tag or 0
        self._unsettled.add(tag)
        try:
            self._arrived.append(Delivery(decode(body), tag))
        except ValueError as problem:
            why = f"not a reference: {problem}"
            self._malformed.append((tag, with_reason(properties.message_id or "", body, why)))
        self._link.ring()


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[RabbitBroker]:
    """Yield a connection to RabbitMQ, its queues declared.

    Raises BrokerUnreachable within the connect time-out; UsageError for a BROKER_URL that is not
    one; BdayschedError if a queue exists with other arguments.
    """
    broker = RabbitBroker(settings)
    await broker.open()
    try:
        yield broker
    finally:
        await broker.close()
