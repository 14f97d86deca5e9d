"""What a worker has claimed and not settled yet, and the leases by which it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from birthday_cli.brokers.base import Broker, Delivery
from birthday_cli.db import messages
from birthday_cli.db.messages import Claim
from birthday_cli.db.patience import PatientDatabase
from birthday_cli.errors import BrokerUnreachable, DatabaseUnreachable

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lease:
    """The claim of one batch: it may be worked on until the lease ends, or is renewed."""

    def __init__(self, seconds: float) -> None:
        self.token = uuid4()
        self.claims: dict[UUID, Claim] = {}
        self.began = now()
        self._seconds = seconds
        self._ends = self.began + seconds

    @property
    def is_over(self) -> bool:
        """Whether others may have taken its messages away."""
        return now() >= self._ends

    @property
    def wants_renewal(self) -> bool:
        """Whether a third of it has passed."""
        return now() >= self._ends - self._seconds * 2 / 3

    def renew(self, asked_at: float, standing: set[UUID]) -> None:
        """Note that a renewal was asked for at a moment of `now`, and what still stands."""
        self._ends = asked_at + self._seconds
        for lost in self.claims.keys() - standing:
            del self.claims[lost]


class Held(NamedTuple):
    """A message in hand, the reference that brought it, and whether it is to test the receiver."""

    claim: Claim
    lease: Lease
    broker: Broker
    delivery: Delivery
    is_probe: bool

    @property
    def may_be_sent(self) -> bool:
        """Whether it is certain that nobody else has taken it away meanwhile."""
        return not self.lease.is_over and self.claim.message.id in self.lease.claims


class InHand:
    """All that one worker has in hand."""

    def __init__(self, lease_seconds: float) -> None:
        self._seconds = lease_seconds
        self._leases: set[Lease] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def new_lease(self) -> Lease:
        """Return a lease that runs from now: ask for the claim after that, never before."""
        return Lease(self._seconds)

    def take(self, lease: Lease, claims: Sequence[Claim]) -> None:
        """Note what was claimed."""
        if claims:
            lease.claims = {claim.message.id: claim for claim in claims}
            self._leases.add(lease)
            self._count += len(claims)

    def settle(self, batch: Sequence[Held]) -> None:
        """Forget what was recorded or handed back."""
        self._count -= len(batch)
        for held in batch:
            held.lease.claims.pop(held.claim.message.id, None)
            if not held.lease.claims:
                self._leases.discard(held.lease)

    def to_renew(self) -> list[tuple[Lease, list[Claim]]]:
        """Return the leases that want renewal, with what is still in hand of each."""
        return [
            (lease, list(lease.claims.values()))
            for lease in self._leases
            if lease.wants_renewal and lease.claims
        ]

    async def keep_renewing(
        self, database: PatientDatabase, renewed: Callable[[int], None]
    ) -> None:
        """Renew leases of what is in hand, for ever; tell each time how many claims still stood."""
        while True:
            await asyncio.sleep(self._seconds / 6)
            for lease, claims in self.to_renew():
                asked_at = now()
                standing = await database.do(
                    messages.renew_leases, claims, timedelta(seconds=self._seconds)
                )
                lease.renew(asked_at, standing)
                renewed(len(standing))


async def settle_references(tried: Sequence[Held], untried: Sequence[Held]) -> None:
    """Acknowledge the references of what was recorded, and release those of what was handed back.

    On a connection that was lost they are delivered again, and then found to be done.
    """
    for broker in {id(held.broker): held.broker for held in (*tried, *untried)}.values():
        with suppress(BrokerUnreachable, DatabaseUnreachable):
            if done := [held.delivery for held in tried if held.broker is broker]:
                await broker.acknowledge(done)
            if left := [held.delivery for held in untried if held.broker is broker]:
                await broker.release(left)


def now() -> float:
    """Return the seconds of a clock that is never set, and goes on while the machine sleeps."""
    return time.clock_gettime(_CLOCK)
