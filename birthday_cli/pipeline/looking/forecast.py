"""How many messages the users of today make in the coming time, minute by minute."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from birthday_cli.config import Settings
from birthday_cli.db import explaining
from birthday_cli.db.connect import connect
from birthday_cli.domain import calendar, load
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.load import Arrival
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.rules import Rules


@dataclass(frozen=True)
class Minute:
    """An instant at which messages are due, and how late the last of them is sent.

    `zones` are those of the users, with how many messages are theirs, the most first.
    """

    scheduled_send_time: datetime
    sends: int
    lateness_seconds: float
    zones: dict[str, int]


@dataclass(frozen=True)
class Forecast:
    """The sends from `since` to before `until`, and what a rate of so many a second makes of them.

    `late` are sent later than `within_seconds`, `too_late` not at all. `rate_needed` would send
    everything within that time. `days` are in UTC.
    """

    since: datetime
    until: datetime
    rate: float
    within_seconds: float
    sends: int
    worst_lateness_seconds: float
    worst_at: datetime | None
    late: int
    too_late: int
    rate_needed: float
    busiest_minutes: list[Minute]
    days: dict[date, int]


@dataclass
class _Instant:
    sends: int = 0
    zones: Counter[str] = field(default_factory=Counter)
    patience: float = float("inf")


def forecast(
    settings: Settings, now: datetime, days: int, rate: float, within: float, top: int
) -> Forecast:
    """Return what comes in so many days from now on, and the `top` busiest minutes of it.

    Everyone is taken to stay as they are, and each message to be sent at the first attempt, `rate`
    of them a second, whatever the hour. What is due already is left out.
    """
    rules = ruling.of(settings)
    until = now + timedelta(days=days)
    with connect(settings, "bdaysched forecast") as connection, explaining.snapshot(connection):
        people = {
            message_type: explaining.count_by_day_and_zone(connection, message_type)
            for message_type in rules.message_types
        }
    instants = _instants(people, now, until, rules)
    arrivals = [Arrival(at, found.sends, found.patience) for at, found in sorted(instants.items())]
    served = {outcome.at: outcome for outcome in load.serve(arrivals, rate, within)}
    worst = max(served.values(), key=lambda outcome: outcome.lateness, default=None)
    busiest = sorted(arrivals, key=lambda arrival: (-arrival.sends, arrival.at))[:top]
    return Forecast(
        since=now,
        until=until,
        rate=rate,
        within_seconds=within,
        sends=sum(arrival.sends for arrival in arrivals),
        worst_lateness_seconds=worst.lateness if worst else 0.0,
        worst_at=worst.at if worst else None,
        late=sum(outcome.late for outcome in served.values()),
        too_late=sum(outcome.too_late for outcome in served.values()),
        rate_needed=load.rate_needed(arrivals, within),
        busiest_minutes=[
            Minute(at, sends, served[at].lateness, dict(instants[at].zones.most_common()))
            for at, sends, _ in busiest
        ],
        days=_by_day(arrivals, now, until),
    )


def _instants(
    people: dict[MessageType, dict[tuple[str, str], int]],
    now: datetime,
    until: datetime,
    rules: Rules,
) -> dict[datetime, _Instant]:
    instants: defaultdict[datetime, _Instant] = defaultdict(_Instant)
    # Date by date, and not type by type: types that are sent at the same time share the reckoning.
    for day in calendar.around(now, until):
        for message_type, counts in people.items():
            for line in calendar.lines(message_type, [day], rules):
                count = counts.get((line.month_day, line.timezone), 0)
                if count and now <= line.scheduled_send_time < until:
                    found = instants[line.scheduled_send_time]
                    found.sends += count
                    found.zones[line.timezone] += count
                    patience = line.expires_at - line.scheduled_send_time
                    found.patience = min(found.patience, patience.total_seconds())
    return instants


def _by_day(arrivals: Iterable[Arrival], since: datetime, until: datetime) -> dict[date, int]:
    last = (until - timedelta(microseconds=1)).date()
    days = {since.date() + timedelta(days=n): 0 for n in range((last - since.date()).days + 1)}
    for arrival in arrivals:
        days[arrival.at.date()] += arrival.sends
    return days
