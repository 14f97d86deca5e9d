"""AMQP delivery tags: what was published and not confirmed, what was received and not settled."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile


class Batch:
    """The messages of one call: how many await their confirm, and which of them have it."""

    def __init__(self) -> None:
        self.open = 0
        self.confirmed: list[int] = []


class Confirms:
    """The unconfirmed messages of one channel, in the order of their delivery tags.

    The tag is nowhere in what is published: both sides count, from 1.
    """

    def __init__(self) -> None:
        self._last_tag = 0
        self._open: dict[int, tuple[Batch, int]] = {}
        self._returned: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def expect(self, batch: Batch, place: int) -> int:
        """Count one message more, at a place in its batch; return its tag."""
        self._last_tag += 1
        self._open[self._last_tag] = batch, place
        batch.open += 1
        return self._last_tag

    def returned(self, tag: int) -> None:
        """Note that a message was not routed. RabbitMQ acknowledges it next, all the same."""
        self._returned.add(tag)

    def settle(self, tag: int, *, multiple: bool, durable: bool) -> None:
        """Take the broker's word on a message, or on all up to it."""
        for settled in list(takewhile(tag.__ge__, self._open)) if multiple else [tag]:
            batch, place = self._open.pop(settled)
            batch.open -= 1
            if durable and settled not in self._returned:
                batch.confirmed.append(place)
            self._returned.discard(settled)


class Unsettled:
    """The tags that were received on one channel and not settled, in their order."""

    def __init__(self) -> None:
        self._tags: dict[int, None] = {}

    def __contains__(self, tag: int) -> bool:
        return tag in self._tags

    def add(self, tag: int) -> None:
        """Note a delivery."""
        self._tags[tag] = None

    def settle(self, tags: Iterable[int]) -> list[int]:
        """Return those of tags that were unsettled, which from now on they are not.

        RabbitMQ closes the channel of a client that settles a delivery twice.
        """
        settled = sorted(self._tags.keys() & set(tags))
        for tag in settled:
            del self._tags[tag]
        return settled

    def settle_first(self, tags: Iterable[int]) -> int:
        """Settle those of tags that have no other unsettled one before them.

        Returns the last of them, up to which one acknowledgement will do; 0 if there is none.
        """
        wanted = set(tags)
        first = list(takewhile(wanted.__contains__, self._tags))
        return self.settle(first)[-1] if first else 0
