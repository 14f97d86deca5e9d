"""The instant of a local time of day, and the end of a local day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which clocks in zone show `at` on day.

    A time that occurs twice means the first. A time that a change of the clocks leaves out is read
    with the offset before the change (PEP 495, fold=0), which moves it forward by the gap; a local
    day that does not exist (Pacific/Apia, 2011-12-30) becomes the next one.
    """
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the date that calendars in zone show at moment."""
    return moment.astimezone(zone).date()


def end_of_local_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which the local day of moment is over in zone."""
    return instant(local_day(moment, zone) + timedelta(days=1), time(), zone)
