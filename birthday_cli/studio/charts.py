"""Where the lines and bars of the day stand, for pictures of 1,440 minutes by a height of 100."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from birthday_cli.domain import zones
from birthday_cli.pipeline.looking.day import QUARTER, Day, Morning

MINUTES = 1_440
_HEIGHT = 100.0
_MINUTE = timedelta(minutes=1)
_EVENING, _MORNING = 21, 6
_ZONES_NAMED = 3
_SEEN = 1.5
_ORDER = ("SENT", "FAILED", "RETRYING", "SENDING", "QUEUED", "SCHEDULED")


class Span(NamedTuple):
    """A part of a picture's width."""

    x: float
    width: float


class Bar(NamedTuple):
    """A part of a bar: what it stands for, and where."""

    status: str
    x: float
    y: float
    width: float
    height: float


class Row(NamedTuple):
    """A line of the world clock: an instant, where it is send time then, and what became of it.

    All its zones have one offset: at one instant it is send time in Auckland and, of the day
    before, in Pago Pago, which have a line each.
    """

    at: datetime
    zones: list[str]
    more: int
    all_zones: str
    clock: str
    offset: str
    x: float
    nights: list[Span]
    by_status: Counter[str]

    @property
    def planned(self) -> int:
        """How many are due."""
        return self.by_status.total()

    @property
    def sent(self) -> int:
        """How many were sent."""
        return self.by_status["SENT"]

    @property
    def failed(self) -> int:
        """How many failed."""
        return self.by_status["FAILED"]

    @property
    def open(self) -> int:
        """How many are neither."""
        return self.planned - self.sent - self.failed

    @property
    def state(self) -> str:
        """What to mark the instant as."""
        if self.failed:
            return "FAILED"
        return "SENT" if not self.open else "SCHEDULED"


def minute(moment: datetime, start: datetime) -> float:
    """Return how many minutes after start moment is, within the picture."""
    return min(max((moment - start) / _MINUTE, 0.0), float(MINUTES))


def world_clock(day: Day, now: datetime) -> list[Row]:
    """Return the lines of the world clock, by instant of sending, the most eastern first."""
    return [
        _row(morning, names, offset, day.start, now)
        for morning in day.mornings
        for offset, names in sorted(_by_offset(morning).items(), reverse=True)
    ]


def _by_offset(morning: Morning) -> dict[timedelta, list[str]]:
    found: dict[timedelta, list[str]] = {}
    for zone in morning.by_zone:
        offset = morning.at.astimezone(zones.load(zone)).utcoffset() or timedelta()
        found.setdefault(offset, []).append(zone)
    return found


def _row(
    morning: Morning, names: list[str], offset: timedelta, start: datetime, now: datetime
) -> Row:
    counts = {name: morning.by_zone[name].total() for name in names}
    largest = sorted(names, key=lambda name: (-counts[name], name))
    return Row(
        at=morning.at,
        zones=largest[:_ZONES_NAMED],
        more=len(largest[_ZONES_NAMED:]),
        all_zones=", ".join(f"{name} {counts[name]:,}" for name in largest),
        clock=f"{now.astimezone(zones.load(largest[0])):%H:%M}",
        offset=morning.at.astimezone(timezone(offset)).isoformat()[19:25],
        x=minute(morning.at, start),
        nights=list(_nights(offset)),
        by_status=sum((morning.by_zone[name] for name in names), Counter()),
    )


def _nights(offset: timedelta) -> list[Span]:
    """Return when it is night in a day of UTC, where clocks are ahead by offset."""
    midnight = -(offset / _MINUTE)
    found = []
    for day in (-1, 0, 1, 2):
        begins = midnight + day * MINUTES - (24 - _EVENING) * 60
        ends = midnight + day * MINUTES + _MORNING * 60
        left, right = max(begins, 0.0), min(ends, float(MINUTES))
        if left < right:
            found.append(Span(left, right - left))
    return found


def line(counts: Sequence[int], most: int, until: float = MINUTES) -> str:
    """Return the points of a line of counts by the end of each quarter, up to a minute."""
    step = QUARTER / _MINUTE
    points = [(0.0, 0)]
    for number, count in enumerate(counts, 1):
        x = number * step
        if x - step >= until:
            break
        # What was not reached yet has no line; the last point is now.
        points.append((min(x, until), count))
    return " ".join(f"{x:g},{_HEIGHT - _HEIGHT * count / max(most, 1):.2f}" for x, count in points)


def columns(day: Day, width: float = 12.0) -> list[Bar]:
    """Return a column for each instant, with a part for each status."""
    most = max((morning.planned for morning in day.mornings), default=1)
    found = []
    for morning in day.mornings:
        y, by_status = _HEIGHT, morning.by_status
        for status in _ORDER:
            if count := by_status[status]:
                height = _HEIGHT * count / most
                y -= height
                x = min(minute(morning.at, day.start), MINUTES - width)
                found.append(Bar(status, x, round(y, 2), width, round(height, 2)))
    return found


def shares(by_status: dict[str, int], longest: int) -> list[Bar]:
    """Return a bar across, of which every status that occurs has a part that can be seen."""
    widths = {
        status: max(100.0 * by_status[status] / max(longest, 1), _SEEN)
        for status in _ORDER
        if by_status.get(status)
    }
    if (excess := sum(widths.values()) - 100) > 0:
        widths[max(widths, key=widths.__getitem__)] -= excess
    found, x = [], 0.0
    for status, width in widths.items():
        found.append(Bar(status, round(x, 2), 0, round(width, 2), 10))
        x += width
    return found
