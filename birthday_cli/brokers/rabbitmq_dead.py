"""RabbitMQ's dead letters: putting them aside with a reason, and reading the reason again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pika.spec import BasicProperties

from birthday_cli.brokers.base import DeadLetter
from birthday_cli.brokers.rabbitmq_link import open_link
from birthday_cli.brokers.rabbitmq_publish import Letter, Publisher
from birthday_cli.brokers.wire import decode
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable

REASON_HEADER = "bdaysched-reason"
"""The header of a dead letter that says why it was put aside."""

_REASON_LIMIT = 500  # characters; headers must fit in one frame


def with_reason(message_id: str, body: bytes, why: str) -> Letter:
    """Return the letter that says why a message was put aside."""
    return Letter(message_id, body, {REASON_HEADER: why[:_REASON_LIMIT]})


async def put_aside(settings: Settings, exchange: str, letters: Sequence[Letter]) -> list[int]:
    """Publish letters to an exchange; return the places of those that the broker has made durable.

    Over a connection of its own: while it is short of memory or disk, RabbitMQ reads nothing more
    from a connection that has published, and so no acknowledgements either. Within the connect
    time-out; what the broker has not confirmed by then, or now blocks, is not in the answer.
    """
    try:
        async with asyncio.timeout(settings.broker_connect_timeout):
            link = await open_link(settings, is_hurried=True)
            try:
                publisher = Publisher(link)
                await publisher.open()
                return await publisher.publish(exchange, letters)
            finally:
                await link.close()
    except (BrokerUnreachable, TimeoutError):
        return []


def dead_letter(tag: int, properties: BasicProperties, body: bytes) -> DeadLetter:
    """Return what a message of the dead-letter queue is, whoever has put it there."""
    try:
        reference = decode(body)
    except ValueError:
        reference = None
    return DeadLetter(reference, properties.message_id or "", _reason(properties), len(body), tag)


def _reason(properties: BasicProperties) -> str:
    headers: Mapping[str, Any] = properties.headers or {}
    ours = headers.get(REASON_HEADER)
    if isinstance(ours, str):
        return " ".join(ours.split())
    # The broker's own history of a message, the latest first; only the broker writes it.
    history: list[dict[str, Any]] = headers.get("x-death") or []
    for entry in history:
        return f"{entry['reason']} (queue {entry['queue']})"
    return "not told"
