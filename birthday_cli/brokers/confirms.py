"""Which of the published messages has the broker made durable? The bookkeeping of AMQP confirms."""

from __future__ import annotations

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
