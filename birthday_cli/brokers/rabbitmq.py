"""RabbitMQ: a quorum queue with its dead-letter queue, on pika and the running event loop.

pika answers through callbacks. Each of them leaves its news in the broker object and rings one
bell; whoever waits for something looks again when the bell rings.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from pika import URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
)
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from birthday_cli.brokers.base import Delivery, Depth
from birthday_cli.brokers.tags import Batch, Confirms, Unsettled
from birthday_cli.brokers.wire import CONTENT_TYPE, decode, encode
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError, BrokerUnreachable, UsageError, redact

REASON_HEADER = "bdaysched-reason"
"""The header of a dead letter that says why it was put aside."""

_WINDOW = 2_000  # publishes that await the broker's confirm at the same time
_BREATH = 100  # publishes between two turns of the loop: pika sends nothing until it turns
_REASON_LIMIT = 500  # characters; headers must fit in one frame
_LAST_WORD = 1.0  # seconds that a broker which has failed us gets to close the connection
_HEARTBEAT = 20  # seconds; RabbitMQ's documentation recommends 5 to 20
_PRECONDITION_FAILED = 406

# What pika logs as errors, we raise. A handler that is added to this logger still gets everything.
logging.getLogger("pika").propagate = False


class _Letter(NamedTuple):
    """What is to be published: the message id is for whoever looks into a queue."""

    message_id: str
    body: bytes
    reason: str | None = None


class _Connection(AsyncioConnection):
    def _on_connection_workflow_done(self, outcome: Any) -> None:
        # pika 1.4 reports a handshake that was given up by a class, and trips over it itself.
        outcome = outcome() if isinstance(outcome, type) else outcome
        super()._on_connection_workflow_done(outcome)  # type: ignore[misc]


class RabbitBroker:
    """A connection with one channel on which everything happens."""

    def __init__(self, settings: Settings) -> None:
        self._url = redact(settings.broker_url).partition("?")[0]
        self._parameters = _parameters(settings, self._url)
        self._patience = settings.broker_connect_timeout
        self._delivery_limit = settings.broker_delivery_limit
        self._queue = settings.broker_queue
        self._dead = f"{settings.broker_queue}.dead"
        self._bell = asyncio.Event()
        self._closed = asyncio.Event()
        self._failure: BaseException | None = None
        self._blocked = ""
        self._connection: AsyncioConnection
        self._channel: Channel
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
            async with asyncio.timeout(self._patience):
                await self._connect()
                await self._declare()
        except TimeoutError as problem:
            raise self._unreachable(f"no answer within {self._patience:g} s") from problem
        except BrokerUnreachable as problem:
            why = self._failure
            if not isinstance(why, ChannelClosedByBroker) or why.reply_code != _PRECONDITION_FAILED:
                raise
            raise BdayschedError(
                f"the queue {self._queue} exists with other settings ({why.reply_text}): set"
                " BROKER_DELIVERY_LIMIT back, or name another BROKER_QUEUE, or delete the queue:"
                " `bdaysched schedule` queues its messages again from the database"
            ) from problem

    async def close(self) -> None:
        """Close the connection; what was received and not settled goes back to the queue."""
        connection = self._connection
        patience = _LAST_WORD if self._failure else self._patience
        self._fail(RuntimeError("this connection was closed"))
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        try:
            async with asyncio.timeout(patience):
                await self._closed.wait()
        except TimeoutError:
            # It hangs, or has blocked us. pika has no public way to hang up.
            connection._adapter_disconnect_stream()  # type: ignore[attr-defined]
            await self._closed.wait()

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Publish persistent and mandatory; return those that were routed and confirmed."""
        letters = [_Letter(str(reference.id), encode(reference)) for reference in references]
        return [references[place] for place in await self._send(self._queue, letters)]

    async def consume(self, prefetch: int) -> None:
        """Start to receive, with at most prefetch references unacknowledged at any time."""
        await self._call(self._channel.basic_qos, prefetch_count=prefetch)
        answer = await self._call(
            self._channel.basic_consume, self._queue, on_message_callback=self._on_message
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
                    await self._until(lambda: bool(self._arrived or self._malformed))
            malformed, self._malformed = self._malformed, []
            await self._put_aside(malformed)
            if self._arrived or not malformed:
                return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Remove deliveries for good."""
        self._check()
        self._acknowledge([delivery.tag for delivery in deliveries])

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries back. Up to RabbitMQ 4.2 this counts towards the delivery limit."""
        self._check()
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
        self._check()
        if self._consumer:
            # What still arrives meanwhile, pika itself puts back.
            await self._call(self._channel.basic_cancel, self._consumer)
            self._consumer = ""
        unseen = [tag for _, tag in self._arrived] + [tag for tag, _ in self._malformed]
        self._arrived.clear()
        self._malformed.clear()
        self._release(unseen)

    async def depth(self) -> Depth:
        """Return how full the queue is, by the broker's own counts."""
        ready, dead = [
            (await self._call(self._channel.queue_declare, name, passive=True)).method.message_count
            for name in (self._queue, self._dead)
        ]
        return Depth(ready, dead)

    async def purge(self) -> int:
        """Remove every reference that waits; return how many those were."""
        answer = await self._call(self._channel.queue_purge, self._queue)
        return int(answer.method.message_count)

    # ---- connection

    async def _connect(self) -> None:
        self._connection = _Connection(
            self._parameters,
            on_open_callback=lambda _: self._bell.set(),
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        await self._until(lambda: self._connection.is_open)
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
        opened: list[Channel] = []
        self._channel = self._connection.channel(on_open_callback=self._noting(opened))
        self._channel.add_on_close_callback(lambda _, why: self._fail(why))
        self._channel.add_on_cancel_callback(
            lambda _: self._fail(RuntimeError(f"it has cancelled consuming from {self._queue}"))
        )
        self._channel.add_on_return_callback(self._on_return)
        await self._until(lambda: bool(opened))

    async def _declare(self) -> None:
        channel = self._channel
        await self._call(channel.confirm_delivery, self._on_confirm)
        arguments = {
            "x-queue-type": "quorum",
            "x-delivery-limit": self._delivery_limit,
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": self._dead,
            "x-dead-letter-routing-key": self._dead,
            "x-dead-letter-strategy": "at-least-once",
        }
        for name, settings in (self._dead, {"x-queue-type": "quorum"}), (self._queue, arguments):
            await self._call(channel.exchange_declare, name, "direct", durable=True)
            await self._call(channel.queue_declare, name, durable=True, arguments=settings)
            await self._call(channel.queue_bind, name, name, name)

    # ---- waiting

    async def _until(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait for condition. TimeoutError when nothing at all happens for seconds."""
        self._check()
        while not condition():
            self._bell.clear()
            async with asyncio.timeout(seconds):
                await self._bell.wait()
            self._check()

    async def _answered(self, condition: Callable[[], bool]) -> None:
        """Wait for what the broker owes us, while it does anything at all."""
        try:
            await self._until(condition, self._patience)
        except TimeoutError as problem:
            why = self._blocked or f"no answer for {self._patience:g} s"
            self._fail(TimeoutError(why))
            raise self._unreachable(why) from problem

    async def _call(self, method: Callable[..., object], *args: object, **options: object) -> Any:
        """Call a method of the channel and return the frame that answers it."""
        self._check()
        answers: list[Any] = []
        method(*args, **options, callback=self._noting(answers))
        await self._answered(lambda: bool(answers))
        return answers[0]

    def _noting(self, answers: list[Any]) -> Callable[[Any], None]:
        def note(answer: object) -> None:
            answers.append(answer)
            self._bell.set()

        return note

    def _check(self) -> None:
        if self._failure:
            raise self._unreachable(_reason(self._failure)) from self._failure

    def _fail(self, why: BaseException) -> None:
        self._failure = self._failure or why
        self._bell.set()

    def _unreachable(self, why: str) -> BrokerUnreachable:
        return BrokerUnreachable(
            f"cannot reach the broker at {self._url}: {why}. Check BROKER_URL (host, port, user,"
            " password, virtual host), and that the broker runs and accepts this host"
        )

    # ---- publishing

    async def _send(self, exchange: str, letters: Sequence[_Letter]) -> list[int]:
        """Publish letters; return the places of those that the broker has made durable."""
        batch = Batch()
        for place, letter in enumerate(letters):
            if place % _BREATH == 0:
                await asyncio.sleep(0)
            await self._answered(lambda: len(self._confirms) < _WINDOW)
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
            self._channel.basic_publish(exchange, exchange, letter.body, properties, mandatory=True)
        await self._answered(lambda: batch.open == 0)
        return sorted(batch.confirmed)

    async def _put_aside(self, letters: Sequence[tuple[int, _Letter]]) -> None:
        if not letters:
            return
        kept = await self._send(self._dead, [letter for _, letter in letters])
        self._acknowledge([letters[place][0] for place in kept])
        # Those that could not be moved with the reason, the broker moves, when it can.
        for tag in self._unsettled.settle(tag for tag, _ in letters):
            self._channel.basic_reject(tag, requeue=False)

    def _acknowledge(self, tags: Sequence[int]) -> None:
        if last := self._unsettled.settle_first(tags):
            self._channel.basic_ack(last, multiple=True)
        for tag in self._unsettled.settle(tags):
            self._channel.basic_ack(tag)

    def _release(self, tags: Sequence[int]) -> None:
        for tag in self._unsettled.settle(tags):
            self._channel.basic_nack(tag, requeue=True)

    # ---- what pika calls

    def _on_closed(self, _: AsyncioConnection, why: BaseException) -> None:
        self._closed.set()
        self._fail(why)

    def _on_blocked(self, _: object, frame: Any) -> None:
        self._blocked = f"it has blocked all publishers ({frame.method.reason})"

    def _on_unblocked(self, *_: object) -> None:
        self._blocked = ""

    def _on_confirm(self, frame: Any) -> None:
        word: Basic.Ack | Basic.Nack = frame.method
        durable = isinstance(word, Basic.Ack)
        self._confirms.settle(word.delivery_tag or 0, multiple=word.multiple, durable=durable)
        self._bell.set()

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
        self._bell.set()


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


def _parameters(settings: Settings, shown: str) -> URLParameters:
    try:
        parameters = URLParameters(settings.broker_url)
    except (ValueError, TypeError, SyntaxError, OSError):
        # The reason is left out: it may quote a part of the password.
        raise UsageError(
            f"BROKER_URL={shown!r} cannot be read: write it like amqp://user:password@host:5672/"
            "vhost, with any of :/?#@% in the password as %XX, and options that pika knows"
        ) from None
    if parameters.heartbeat is None:
        parameters.heartbeat = _HEARTBEAT
    # There is one time-out, and it is ours.
    parameters.socket_timeout = parameters.stack_timeout = None
    parameters.client_properties = parameters.client_properties or {"connection_name": "bdaysched"}
    return parameters


def _reason(problem: BaseException) -> str:
    """Return the innermost of pika's nested errors in words."""
    while True:
        if isinstance(problem, AMQPConnectionWorkflowFailed):
            problem = problem.exceptions[-1]
        elif isinstance(problem, AMQPConnectorPhaseErrorBase):
            problem = problem.exception
        elif isinstance(problem, AMQPConnectionError) and isinstance(
            problem.args and problem.args[0], BaseException
        ):
            problem = problem.args[0]
        else:
            break
    return " ".join(": ".join(map(str, problem.args)).split()) or type(problem).__name__
