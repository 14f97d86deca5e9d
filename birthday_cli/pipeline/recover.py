"""Fourth step: bring back what got stuck on its way, and give up what is too late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from birthday_cli.brokers.base import Broker
from birthday_cli.config import Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import AsyncConnection
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.states import Status


@dataclass(frozen=True)
class Recovered:
    """How many messages failed, were taken back from dead workers, or are to be queued anew.

    `expired` were too late, or had no attempt left; the users of `withdrawn` were deleted.
    """

    expired: int
    withdrawn: int
    taken_back: int
    requeued: int


async def recover(
    connection: AsyncConnection, broker: Broker, settings: Settings, now: datetime
) -> Recovered:
    """End leases that ran out, fail what is too late, and requeue what the broker has lost.

    A message counts as lost when it has been QUEUED for `recover_queued_after` and the broker holds
    fewer references than there are QUEUED messages: a long queue alone loses nothing.
    """
    rules = ruling.of(settings)
    since = now - rules.look_back
    ended = await messages.take_back_expired_leases(connection, now, rules.retry)
    expired = await messages.fail_expired(connection, now, since)
    withdrawn = await messages.fail_withdrawn(connection, now, since)
    age = timedelta(seconds=settings.recover_queued_after)
    queued, stuck = await messages.stuck_queued(connection, age)
    requeued = 0
    if stuck and (await broker.depth()).ready < queued:
        requeued = await messages.requeue_stuck(connection, age)
    return Recovered(
        expired=expired + ended.count(Status.FAILED),
        withdrawn=withdrawn,
        taken_back=ended.count(Status.RETRYING),
        requeued=requeued,
    )
