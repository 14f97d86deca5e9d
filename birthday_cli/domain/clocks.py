"""What the clocks of a zone show, and when they are changed."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
# Samoa once left out a whole day: no change of the clocks is larger.
_LARGEST_CHANGE = timedelta(hours=25)


class Change(NamedTuple):
    """A change of the clocks: what they show right before and right after, and by which offset."""

    at: datetime
    clock_before: str
    clock_after: str
    offset_before: str
    offset_after: str


def shown(moment: datetime, zone: ZoneInfo) -> str:
    """Return what clocks in zone show at moment, such as `2027-02-28 09:00:00`."""
    return _text(moment, _offset(moment, zone))


def offset(moment: datetime, zone: ZoneInfo) -> str:
    """Return the offset from UTC in zone at moment, such as `+05:45`."""
    return moment.astimezone(zone).isoformat(timespec="seconds")[19:]


def changes(start: datetime, end: datetime, zone: ZoneInfo) -> list[Change]:
    """Return the changes of the clocks in zone after start and up to end, the earliest first."""
    found = []
    while start < end:
        later = min(start + _DAY, end)
        if _offset(start, zone) != _offset(later, zone):
            found.append(_change_between(start, later, zone))
        start = later
    return found


def unusual(day: date, at: time, zone: ZoneInfo) -> Change | None:
    """Return the change of the clocks that leaves out `at` on day, or repeats it, if one does."""
    first = datetime.combine(day, at, tzinfo=zone)
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    if before == after:
        return None
    moment = first.astimezone(UTC)
    near = changes(moment - _LARGEST_CHANGE, moment + _LARGEST_CHANGE, zone)
    return next(
        change
        for change in near
        if (_offset(change.at - timedelta(seconds=1), zone), _offset(change.at, zone))
        == (before, after)
    )


def _change_between(start: datetime, end: datetime, zone: ZoneInfo) -> Change:
    before, after = _offset(start, zone), _offset(end, zone)
    seconds = range(int(start.timestamp()), int(end.timestamp()) + 1)
    first = bisect_left(
        seconds,
        True,
        key=lambda second: _offset(datetime.fromtimestamp(second, UTC), zone) != before,
    )
    at = datetime.fromtimestamp(seconds[first], UTC)
    return Change(
        at,
        clock_before=_text(at, before),
        clock_after=_text(at, after),
        offset_before=offset(at - timedelta(seconds=1), zone),
        offset_after=offset(at, zone),
    )


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _text(moment: datetime, ahead: timedelta) -> str:
    return f"{moment + ahead:%Y-%m-%d %H:%M:%S}"
