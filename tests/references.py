"""References for tests of brokers, and their way through one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from birthday_cli.brokers.base import Broker, Delivery
from birthday_cli.domain.message import Reference

HANG = 60.0
"""Seconds after which something that should have happened has not; decides no passing test."""

MOMENT = 0.2
"""Seconds in which nothing is to happen."""


def references(count: int) -> list[Reference]:
    """Return references to messages that exist nowhere."""
    now = datetime.now(UTC)
    return [Reference(uuid.uuid4(), now + timedelta(microseconds=n)) for n in range(count)]


async def take(broker: Broker, count: int) -> list[Delivery]:
    """Receive count deliveries."""
    taken: list[Delivery] = []
    while len(taken) < count:
        arrived = await broker.receive(count - len(taken), HANG)
        assert arrived, f"{len(taken)} of {count} arrived"
        taken += arrived
    return taken


async def drain(broker: Broker, count: int) -> set[Reference]:
    """Receive and acknowledge until count different references have arrived."""
    found: set[Reference] = set()
    while len(found) < count:
        deliveries = await take(broker, 1)
        found |= of(deliveries)
        await broker.acknowledge(deliveries)
    return found


def of(deliveries: list[Delivery]) -> set[Reference]:
    return {delivery.reference for delivery in deliveries}
