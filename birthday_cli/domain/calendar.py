"""When it is send time where: one line for each local date, month-day and zone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from birthday_cli.domain import send_time, zones
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.month_day import celebrated_on
from birthday_cli.domain.rules import Rules


class Line(NamedTuple):
    """When the people of one zone who celebrate month_day on delivery_date get their message.

    `expires_at` is when it becomes too late for that, `day_ends_at` when their day is over.
    """

    delivery_date: date
    month_day: str
    timezone: str
    scheduled_send_time: datetime
    expires_at: datetime
    day_ends_at: datetime

    @property
    def matters_until(self) -> datetime:
        """The instant from which on this line is history."""
        return max(self.expires_at, self.day_ends_at)


def lines(message_type: MessageType, dates: Iterable[date], rules: Rules) -> Iterator[Line]:
    """Yield the lines of every zone there is, date by date."""
    for day in dates:
        month_days = celebrated_on(day, rules.leap_rule)
        for name in _ZONES:
            send_at, day_ends_at = _morning(day, message_type.send_at, name)
            expires_at = send_at + rules.max_lateness if rules.max_lateness else day_ends_at
            for month_day in month_days:
                yield Line(day, month_day, name, send_at, expires_at, day_ends_at)


def around(start: datetime, end: datetime) -> list[date]:
    """Return the dates that it is anywhere between two instants."""
    first, last = (start - _ONE_DAY).date(), (end + _ONE_DAY).date()
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def digest(message_type: MessageType, morning: Iterable[Line]) -> str:
    """Return a short text that differs when lines differ, or the wording does."""
    text = repr((message_type.template, [(*line[:3], line.expires_at) for line in morning]))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def forget() -> None:
    """Reckon anew from now on, with the zones as they are by then."""
    _morning.cache_clear()


# Local dates lie up to a day to either side of the date in UTC.
_ONE_DAY = timedelta(days=1)
_ZONES = sorted(zones.names())


@lru_cache(maxsize=20_000)
def _morning(day: date, at: time, zone_name: str) -> tuple[datetime, datetime]:
    zone = zones.load(zone_name)
    send_at = send_time.instant(day, at, zone)
    return send_at, send_time.end_of_local_day(send_at, zone)
