"""Second step: publish references to what is due, and mark QUEUED what the broker confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from birthday_cli.brokers.base import Broker
from birthday_cli.config import Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import AsyncConnection
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.message import Reference

BATCH = 5_000


@dataclass(frozen=True)
class Dispatched:
    """How many messages were queued, and how many the broker did not confirm."""

    queued: int
    unconfirmed: int


async def dispatch(
    connection: AsyncConnection, broker: Broker, settings: Settings, now: datetime
) -> Dispatched:
    """Queue every message that is due at now and not too late, oldest first.

    Those whose users have quiet hours wait. Not looked at is what is older than the rules look
    back: `recover` fails it.

    Published before it is marked: a run that dies in between publishes again, and the worker finds
    the repeated reference already claimed. Unconfirmed messages stay due for the next run.
    """
    queued = unconfirmed = 0
    last: Reference | None = None
    rules = ruling.of(settings)
    since, quiet = now - rules.look_back, rules.quiet_zones(now)
    while True:
        batch = await messages.due(connection, since, now, quiet, last, BATCH)
        if not batch:
            return Dispatched(queued, unconfirmed)
        last = batch[-1]
        confirmed = await broker.publish(batch)
        if confirmed:
            await messages.mark_queued(connection, confirmed)
        queued += len(confirmed)
        unconfirmed += len(batch) - len(confirmed)
