"""The hours of the night in which nobody is sent anything, by the user's own clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache

from birthday_cli.domain import zones

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class QuietHours:
    """From one local time of day, inclusive, to another, exclusive; over midnight if need be."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"

    def holds(self, at: time) -> bool:
        """Return whether a local time of day is quiet."""
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def zones_at(self, moment: datetime) -> list[str]:
        """Return the zones in which it is quiet at moment."""
        return _zones_at(self, moment.replace(second=0, microsecond=0))


def parse(text: str) -> QuietHours | None:
    """Return the hours that `22:00-08:00` names, None for `off`; ValueError for anything else."""
    if text == "off":
        return None
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a span such as 22:00-08:00, or off")
    start, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if start == end:
        raise ValueError(f"{text!r} is empty: write off for no quiet hours")
    return QuietHours(start, end)


@lru_cache(maxsize=4)
def _zones_at(hours: QuietHours, minute: datetime) -> list[str]:
    return [
        name
        for name in sorted(zones.names())
        if hours.holds(minute.astimezone(zones.load(name)).time())
    ]
