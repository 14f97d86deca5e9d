"""A broker within the process, for tests of the pipeline: it misbehaves when told to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from birthday_cli.brokers.base import DeadLetter, Delivery, Depth
from birthday_cli.brokers.wire import encode
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BrokerUnreachable


@dataclass
class MemoryQueue:
    """What brokers share as connections share a server, and how it is to misbehave."""

    ready: deque[Reference] = field(default_factory=deque)
    dead: list[tuple[Reference, str]] = field(default_factory=list)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    copies: int = 1  # how often a reference that is published goes in
    unroutable: set[Reference] = field(default_factory=set)  # what publish() is not to confirm


class MemoryBroker:
    """One connection to a MemoryQueue; see Broker for what its methods do."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._lost = False
        self._prefetch = self._last_tag = 0
        self._held: dict[int, Reference] = {}
        self._seen: dict[int, tuple[Reference, str]] = {}

    def lose_connection(self) -> None:
        """From now on every call raises BrokerUnreachable, and what was in hand is back."""
        self._lost = True
        self._queue.ready.extendleft(self._held.values())
        self._queue.dead[:0] = self._seen.values()
        self._queue.bell.set()

    async def publish(self, references: Sequence[Reference]) -> list[Reference]:
        """Confirm all but the unroutable ones."""
        self._notify()
        confirmed = [each for each in references if each not in self._queue.unroutable]
        self._queue.ready.extend(confirmed * self._queue.copies)
        return confirmed

    async def consume(self, prefetch: int) -> None:
        """Set the bound on what is in hand."""
        self._notify()
        self._prefetch = prefetch

    async def receive(self, limit: int, wait: float) -> list[Delivery]:
        """Return what has arrived; [] after wait seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not self._lost and not self._room():
                    self._queue.bell.clear()
                    await self._queue.bell.wait()
        self._notify()
        taken = [self._queue.ready.popleft() for _ in range(min(limit, self._room()))]
        deliveries = [Delivery(each, self._last_tag + n) for n, each in enumerate(taken, 1)]
        self._last_tag += len(taken)
        self._held |= {each.tag: each.reference for each in deliveries}
        return deliveries

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget deliveries."""
        self._settle(deliveries)

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries back."""
        self._queue.ready.extendleft(self._settle(deliveries))

    async def reject(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Put deliveries aside, with the reason."""
        self._queue.dead += [(reference, reason) for reference in self._settle(deliveries)]

    async def stop_consuming(self) -> None:
        """Receive nothing more."""
        await self.consume(0)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return what was put aside, the oldest first."""
        self._notify()
        letters = []
        for reference, reason in self._queue.dead[:limit]:
            self._last_tag += 1
            self._seen[self._last_tag] = reference, reason
            size = len(encode(reference))
            letters.append(DeadLetter(reference, str(reference.id), reason, size, self._last_tag))
        del self._queue.dead[:limit]
        return letters

    async def discard(self, letters: Sequence[DeadLetter]) -> None:
        """Forget letters."""
        self._notify()
        for letter in letters:
            self._seen.pop(letter.tag, None)

    async def depth(self) -> Depth:
        """Return the lengths of both queues."""
        self._notify()
        return Depth(len(self._queue.ready), len(self._queue.dead))

    async def purge(self) -> int:
        """Empty the queue."""
        purged = (await self.depth()).ready
        self._queue.ready.clear()
        return purged

    def _room(self) -> int:
        return max(0, min(self._prefetch - len(self._held), len(self._queue.ready)))

    def _settle(self, deliveries: Sequence[Delivery]) -> list[Reference]:
        self._notify()
        return [self._held.pop(each.tag) for each in deliveries if each.tag in self._held]

    def _notify(self) -> None:
        if self._lost:
            raise BrokerUnreachable("the connection to the broker in memory is lost")
        self._queue.bell.set()
