"""The seam that every broker fits: references go in confirmed, and come out until acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import UsageError, redact


class Delivery(NamedTuple):
    """A reference in this consumer's hands, and the broker's own handle for it."""

    reference: Reference
    tag: int


class DeadLetter(NamedTuple):
    """What was put aside, and why; `reference` is None for a body that holds none."""

    reference: Reference | None
    message_id: str
    reason: str
    body_bytes: int
    tag: int


class Depth(NamedTuple):
    """How many references wait to be received, and how many were put aside as dead."""

    ready: int
    dead: int


class Broker(Protocol):
    """One connection to a broker. One task may call `receive` at a time.

    When the connection has gone, every method raises BrokerUnreachable, or DatabaseUnreachable if
    the broker is the database; then open another.

    A reference that was received and neither acknowledged, rejected nor released is delivered
    again, to anyone, after the connection has gone. It may arrive twice and in any order.
    """

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Put references into the queue; return those that the broker has made durable.

        What is missing in the answer was not routed or not confirmed, and may be published again.
        """

    async def consume(self, prefetch: int) -> None:
        """Start to receive, with at most prefetch references unacknowledged at any time.

        Again after stop_consuming(), too; RabbitMQ then leaves those out that were received before.
        """

    async def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return what has arrived, up to limit, as soon as there is any; [] after wait seconds."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Remove deliveries for good: what they stand for is recorded."""

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries back, for any consumer. A broker may count that towards its limit."""

    async def reject(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put deliveries aside as dead, with the reason."""

    async def stop_consuming(self) -> None:
        """Receive nothing more; what was received can still be settled. Releases the rest."""

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to limit of what was put aside, the oldest first.

        They stay where they are, out of other connections' sight until this one is closed. Another
        call returns those that follow.
        """

    async def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Remove for good what `dead_letters` of this connection has returned."""

    async def depth(self) -> Depth:
        """Return how full the queue is."""

    async def purge(self) -> int:
        """Remove every reference that waits; return how many those were."""


@asynccontextmanager
async def connect(settings: Settings, conninfo: str) -> AsyncIterator[Broker]:
    """Yield the broker that BROKER_URL names; `conninfo` is the database, for `postgres:`.

    Raises BrokerUnreachable within the connect time-out, UsageError for an unknown scheme.
    """
    scheme = settings.broker_url.partition(":")[0]
    if scheme in ("amqp", "amqps"):
        from birthday_cli.brokers import rabbitmq

        async with rabbitmq.connect(settings) as rabbit:
            yield rabbit
    elif scheme == "postgres":
        from birthday_cli.brokers import postgres

        async with postgres.connect(settings, conninfo) as queue:
            yield queue
    else:
        raise UsageError(
            f"BROKER_URL={redact(settings.broker_url)!r} is not amqp://…, amqps://… or postgres:"
        )
