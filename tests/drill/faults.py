"""What is done to the fleet of a drill, and when: drawn beforehand, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of fault: how often it is drawn, whom it hits, and how long it lasts, in seconds.

    `workers_in_flight` is for how many workers it leaves open what they had sent: "one", "all", or
    "none", where the broker alone is concerned, or a process that sends nothing.
    """

    name: str
    weight: int
    role: str
    shortest: float
    longest: float
    workers_in_flight: str


class Planned(NamedTuple):
    """A fault that is to come, in seconds from the start."""

    at: float
    kind: Kind
    number: int
    seconds: float


def kinds(brokers: str, lease: float) -> list[Kind]:
    """Return the kinds of faults that there are with these brokers."""
    past_lease = lease * 1.2, lease * 2
    found = [
        Kind("kill worker", 6, "worker", 0, 0, "one"),
        Kind("stop worker past its lease", 3, "worker", *past_lease, "one"),
        Kind("kill scheduler", 4, "scheduler", 0, 0, "none"),
        Kind("stop scheduler", 1, "scheduler", 1, lease, "none"),
        Kind("kill database", 2, "database", 0, 2, "all"),
        Kind("silence worker-database", 2, "worker", 1, lease * 2, "one"),
        Kind("cut worker-database", 2, "worker", 0.1, lease, "one"),
        Kind("receiver down", 1, "receiver", 1, 4, "none"),
        Kind("receiver in trouble", 1, "receiver", 2, 5, "none"),
    ]
    if brokers != "postgres":
        # In a cluster the node that leads the queue: the others say nothing new.
        node = "leader" if brokers == "cluster" else "broker"
        found += [
            Kind(f"kill {node}", 3, "broker", 0, 2, "none"),
            Kind(f"freeze {node}", 1, "broker", 1, 6, "none"),
            Kind("silence worker-broker", 2, "worker", 1, lease * 2, "none"),
            Kind("cut worker-broker", 2, "worker", 0.1, lease, "none"),
        ]
    return found


def draw(
    rng: random.Random, kinds: Sequence[Kind], seconds: float, pause: float, numbers: dict[str, int]
) -> list[Planned]:
    """Return faults over some seconds, on average every `pause` seconds.

    Every kind comes at least once, as far as there is time for it. `numbers` is how many there are
    of each role.
    """
    owed = list(kinds)
    rng.shuffle(owed)
    found: list[Planned] = []
    at = rng.uniform(0, pause)
    while at < seconds:
        kind = owed.pop() if owed else rng.choices(kinds, [kind.weight for kind in kinds])[0]
        number = rng.randrange(numbers.get(kind.role, 1))
        found.append(Planned(at, kind, number, rng.uniform(kind.shortest, kind.longest)))
        at += rng.uniform(0.5, 1.5) * pause
    return found
