"""RabbitMQ: a quorum queue with its dead-letter queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from birthday_cli.brokers.base import Delivery, Depth
from birthday_cli.brokers.rabbitmq_link import Link
from birthday_cli.brokers.tags import Batch, Confirms, Unsettled
from birthday_cli.brokers.wire import CONTENT_TYPE, decode, encode
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError, BrokerUnreachable

REASON_HEADER = "bdaysched-reason"
"""The header of a dead letter that says why it was put aside."""

_WINDOW = 5_000  # publishes that await the broker's confirm at the same time
_BREATH = 100  # publishes between two turns of the loop: pika sends nothing until it turns
_REASON_LIMIT = 500  # characters; headers must fit in one frame
_PRECONDITION_FAILED = 406


class _Letter(NamedTuple):
    """What is to be published: the message id is for whoever looks into a queue."""

    message_id: str
    body: bytes
    reason: str | None = None


class RabbitBroker:
    """A connection with one channel on which everything happens."""

    def __init__(self, settings: Settings) -> None:
        self._link = Link(settings)
        self._delivery_limit = settings.broker_delivery_limit
        self._queue = settings.broker_queue
        self._dead = f"{settings.broker_queue}.dead"
        self._consumer = ""
        self._confirms = Confirms()
        self._unsettled = Unsettled()
        self._arrived: deque[Delivery] = deque()
        self._malformed: list[tuple[int, _Letter]] = []

    async def open(self) -> None:
        """Connect, and declare the queues.

        Raises BrokerUnreachable within the connect time-out; BdayschedError if a queue exists with
        other arguments.
        """
        try:
            async with asyncio.timeout(self._link.patience):
                await self._link.open()
                await self._declare()
        except TimeoutError as problem:
            why = f"no answer within {self._link.patience:g} s"
            raise self._link.unreachable(why) from problem
        except BrokerUnreachable as problem:
            closed = self._link.failure
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

    async def close(self) -> None:
        """Close the connection; what was received and not settled goes back to the queue."""
        await self._link.close()

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Publish persistent and mandatory; return those that were routed and confirmed."""
        letters = [_Letter(str(reference.id), encode(reference)) for reference in references]
        return [references[place] for place in await self._send(self._queue, letters)]

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
                (tag, _Letter(str(reference.id), encode(reference), reason))
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
        channel.add_on_return_callback(self._on_return)
        channel.add_on_cancel_callback(self._on_cancel)
        await self._link.call(channel.confirm_delivery, self._on_confirm)
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": self._delivery_limit,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": self._dead,
            "x-dead-letter-routing-key": self._dead,
            "x-dead-letter-strategy": "at-least-once",
        }
        for name, settings in (self._dead, {"x-queue-type": "quorum"}), (self._queue, arguments):
            await self._link.call(channel.exchange_declare, name, "direct", durable=True)
            await self._link.call(channel.queue_declare, name, durable=True, arguments=settings)
            await self._link.call(channel.queue_bind, name, name, name)

    async def _send(self, exchange: str, letters: Sequence[_Letter]) -> list[int]:
        """Publish letters; return the places of those that the broker has made durable."""
        batch = Batch()
        for place, letter in enumerate(letters):
            if place % _BREATH == 0:
                await asyncio.sleep(0)
            await self._link.answered(lambda: len(self._confirms) < _WINDOW)
            tag = self._confirms.expect(batch, place)
            properties = BasicProperties(
                app_id="bdaysched",
                content_type=CONTENT_TYPE,
                delivery_mode=PERSISTENT_DELIVERY_MODE,
                message_id=letter.message_id,
                # A message that is returned comes back with its properties, without its tag.
                correlation_id=str(tag),
                headers={REASON_HEADER: letter.reason[:_REASON_LIMIT]} if letter.reason else None,
            )
            self._link.channel.basic_publish(
                exchange, exchange, letter.body, properties, mandatory=True
            )
        await self._link.answered(lambda: batch.open == 0)
        return sorted(batch.confirmed)

    async def _put_aside(self, letters: Sequence[tuple[int, _Letter]]) -> None:
        if not letters:
            return
        kept = await self._send(self._dead, [letter for _, letter in letters])
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

    def _on_confirm(self, frame: Any) -> None:
        word: Basic.Ack | Basic.Nack = frame.method
        durable = isinstance(word, Basic.Ack)
        self._confirms.settle(word.delivery_tag or 0, multiple=word.multiple, durable=durable)
        self._link.ring()

    def _on_return(self, _: Channel, __: object, properties: BasicProperties, ___: bytes) -> None:
        self._confirms.returned(int(properties.correlation_id or 0))

    def _on_message(
        self, _: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        tag = method.delivery_tag or 0
        self._unsettled.add(tag)
        try:
            self._arrived.append(Delivery(decode(body), tag))
        except ValueError as problem:
            letter = _Letter(properties.message_id or "", body, f"not a reference: {problem}")
            self._malformed.append((tag, letter))
        self._link.ring()


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[RabbitBroker]:
    """Yield a connection to RabbitMQ, its queues declared.

    Raises BrokerUnreachable within the connect time-out; UsageError for a BROKER_URL that is not
    one; BdayschedError if a queue exists with other arguments.
    """
    broker = RabbitBroker(settings)
    try:
        await broker.open()
        yield broker
    finally:
        await broker.close()
