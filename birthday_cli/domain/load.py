"""What a rate of delivery makes of a timeline of sends: one queue, first due, first served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import floor
from typing import NamedTuple


class Arrival(NamedTuple):
    """So many messages that are due at once. After `patience` seconds it is too late for them."""

    at: datetime
    sends: int
    patience: float


class Served(NamedTuple):
    """What becomes of an arrival: the seconds after which its last message is sent.

    `late` are sent, though not within the time that is wanted; `too_late` are not sent at all.
    """

    at: datetime
    lateness: float
    late: int
    too_late: int


def serve(arrivals: Iterable[Arrival], rate: float, within: float) -> Iterator[Served]:
    """Yield what becomes of arrivals, given in order, at rate messages a second.

    What is not sent when the next arrive waits in front of them; what would be too late gives way.
    `late` is what takes more than `within` seconds. The n-th message in the queue takes n / rate.
    """
    backlog, before = 0.0, None
    for at, sends, patience in arrivals:
        if before:
            backlog = max(0.0, backlog - rate * (at - before).total_seconds())
        before = at
        sent = floor(min(sends, max(0.0, rate * patience - backlog)))
        in_time = floor(min(sent, max(0.0, rate * within - backlog)))
        backlog += sent
        yield Served(at, backlog / rate, sent - in_time, sends - sent)


def rate_needed(arrivals: Sequence[Arrival], within: float) -> float:
    """Return the lowest rate, in messages a second, that sends each within so many seconds.

    That is the largest quotient of what is due in some spell and the time from its start to
    `within` after its end. The rate is raised, from nothing, to that of the spell for which it was
    short by most, until it is short for none; a spell starts when the queue was last empty.
    """
    rate = 0.0
    while True:
        shortest, needed = 0.0, rate
        backlog, sends, start, before = 0.0, 0, None, None
        for arrival in arrivals:
            if before:
                backlog -= rate * (arrival.at - before).total_seconds()
            if start is None or backlog <= 0:
                backlog, sends, start = 0.0, 0, arrival.at
            before = arrival.at
            backlog += arrival.sends
            sends += arrival.sends
            time = min(within, arrival.patience)
            if backlog - rate * time > shortest:
                shortest = backlog - rate * time
                needed = sends / ((arrival.at - start).total_seconds() + time)
        if needed <= rate:
            return rate
        rate = needed
