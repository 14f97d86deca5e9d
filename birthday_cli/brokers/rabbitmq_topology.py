"""The queues and exchanges that RabbitMQ is to have, and whether they are what they should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pika.exceptions import ChannelClosedByBroker

from birthday_cli.brokers.rabbitmq_link import Link, open_link
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable

# From 4.0 on a quorum queue drops what was delivered 20 times, unless told otherwise, and each
# look at a dead letter is a delivery. -1, for no limit at all, is unknown to 3.10.
_NO_LIMIT = 2**31 - 1


class Queue(NamedTuple):
    """A quorum queue, bound to an exchange of the same name."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """What there is of a queue. `fault` is the broker's word on what is wrong, None if nothing is.

    Messages and consumers are None where the queue itself is missing.
    """

    queue: Queue
    messages: int | None
    consumers: int | None
    fault: str | None


@dataclass(frozen=True)
class Topology:
    """What the broker is, and what it has of `wanted`."""

    server: str
    found: list[Found]


def dead(settings: Settings) -> str:
    """Return the name of the queue of dead letters."""
    return f"{settings.broker_queue}.dead"


def wanted(settings: Settings) -> list[Queue]:
    """Return the queues that there are to be: that of the dead letters, then the one for work."""
    return [
        Queue(dead(settings), {"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT}),
        Queue(
            settings.broker_queue,
            {
                "x-queue-type": "quorum",
                "x-delivery-limit": settings.broker_delivery_limit,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": dead(settings),
                "x-dead-letter-routing-key": dead(settings),
                "x-dead-letter-strategy": "at-least-once",
            },
        ),
    ]


async def declare(link: Link, queue: Queue) -> None:
    """Make exchange and queue; what is there with other settings closes the channel."""
    channel, name = link.channel, queue.name
    await link.call(channel.exchange_declare, name, "direct", durable=True)
    await link.call(channel.queue_declare, name, durable=True, arguments=queue.arguments)


async def inspect(settings: Settings) -> Topology:
    """Compare what the broker has with what is wanted; nothing is made or changed.

    What policies add, and whether the queues are bound, AMQP does not tell. Raises
    BrokerUnreachable when it owes an answer for longer than the connect time-out, and UsageError
    for a BROKER_URL that is not one.
    """
    server, found = "", []
    for queue in wanted(settings):
        # What is wrong closes the channel, so each queue has a connection of its own.
        link = await open_link(settings)
        try:
            server = link.server
            found.append(await _inspect(link, queue))
        finally:
            await link.close()
    return Topology(server, found)


async def _inspect(link: Link, queue: Queue) -> Found:
    messages = consumers = None
    try:
        answer = await link.call(link.channel.queue_declare, queue.name, passive=True)
        messages, consumers = answer.method.message_count, answer.method.consumer_count
        await link.call(link.channel.exchange_declare, queue.name, passive=True)
        # To declare what is there changes nothing; what differs the broker names (its
        # documentation: "Declaration and Property Equivalence").
        await declare(link, queue)
    except BrokerUnreachable:
        closed = link.failure
        if not isinstance(closed, ChannelClosedByBroker):
            raise
        return Found(queue, messages, consumers, closed.reply_text)
    return Found(queue, messages, consumers, None)
