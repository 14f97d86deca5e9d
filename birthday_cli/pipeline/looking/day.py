"""One day around the world: where it is send time when, what is planned there, what was sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from birthday_cli.config import Settings
from birthday_cli.db import browsing, partitions
from birthday_cli.db.cache import Cache
from birthday_cli.db.connect import connect
from birthday_cli.pipeline.looking import monitor

QUARTER = timedelta(minutes=15)
QUARTERS = 96


class Morning(NamedTuple):
    """An instant at which messages are due: how many of which status in each zone."""

    at: datetime
    by_zone: dict[str, Counter[str]]

    @property
    def by_status(self) -> Counter[str]:
        """How many messages are of which status, in all zones."""
        return sum(self.by_zone.values(), Counter())

    @property
    def planned(self) -> int:
        """How many messages are due."""
        return self.by_status.total()


@dataclass(frozen=True)
class Day:
    """The 24 hours from `start`, by the mornings that fall into them, the earliest first.

    `planned` and `sent` are how many messages were due, and had been sent of those, by the end of
    each quarter of an hour. `worst` is the greatest lateness in seconds, None if nothing was sent.
    Some figures are estimated from a sample if `estimated`.
    """

    start: datetime
    mornings: list[Morning]
    planned: list[int]
    sent: list[int]
    worst: float | None
    estimated: bool

    @property
    def by_status(self) -> Counter[str]:
        """How many messages of the day are of which status."""
        return sum((morning.by_status for morning in self.mornings), Counter())


def day(settings: Settings, start: datetime, cache: Cache) -> Day:
    """Return the day that begins at start; with Redis, it may be `monitor.FRESH_FOR` old."""

    def ask() -> Any:
        with connect(settings, "bdaysched studio") as connection:
            partitions.require_table(connection)
            zones = browsing.count_by_zone(connection, start)
            estimated, sent = browsing.count_sent(connection, start)
        return {
            "zones": [(at.isoformat(), *rest) for at, *rest in zones],
            "sent": [(at.isoformat(), *rest) for at, *rest in sent],
            "estimated": estimated,
        }

    found = cache.get(
        monitor.key(settings, f"day {start:%Y-%m-%d}"),
        monitor.FRESH_FOR,
        ask,
    )
    return _day(
        start,
        [(_instant(at), zone, status, count) for at, zone, status, count in found["zones"]],
        [(_instant(at), count, worst) for at, count, worst in found["sent"]],
        found["estimated"],
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(
    start: datetime,
    counts: list[tuple[datetime, str, str, int]],
    sent: list[tuple[datetime, int, float]],
    estimated: bool,
) -> Day:
    found: dict[datetime, dict[str, Counter[str]]] = {}
    for at, zone, status, count in counts:
        found.setdefault(at, {}).setdefault(zone, Counter())[status] += count
    mornings = [Morning(at, found[at]) for at in sorted(found)]
    return Day(
        start,
        mornings,
        _so_far(start, [(morning.at, morning.planned) for morning in mornings]),
        _so_far(start, [(at, count) for at, count, _ in sent]),
        max((worst for *_, worst in sent), default=None),
        estimated,
    )


def _so_far(start: datetime, counts: list[tuple[datetime, int]]) -> list[int]:
    """Return the sum of counts by the end of each quarter; what comes later is left out."""
    by_quarter = [0] * QUARTERS
    for at, count in counts:
        number = max((at - start) // QUARTER, 0)
        if number < QUARTERS:
            by_quarter[number] += count
    total, found = 0, []
    for count in by_quarter:
        total += count
        found.append(total)
    return found
