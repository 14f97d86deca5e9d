"""A month and day without a year (`MM-DD`), and which of them are celebrated on a date."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from enum import StrEnum

_FORMS = re.compile(r"(?:\d{4}-|--)?(\d\d-\d\d)", re.ASCII)
_DAYS = frozenset(f"{date(2000, 1, 1) + timedelta(days=number):%m-%d}" for number in range(366))


class LeapRule(StrEnum):
    """When 29 February is celebrated in a common year."""

    FEB_28 = "feb-28"
    MAR_1 = "mar-1"
    SKIP = "skip"


class NoMonthDay(ValueError):
    """A text that is not a month and day, with the reason."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f"{text!r} {reason}")
        self.reason = reason


def parse(text: str) -> str:
    """Return text as `MM-DD`.

    Accepts `MM-DD`, `YYYY-MM-DD` (the year is dropped) and `--MM-DD` (ISO 8601:2000, vCard).
    NoMonthDay for anything else, and for a day that no year has.
    """
    match = _FORMS.fullmatch(text)
    if not match:
        raise NoMonthDay(text, "is not a date: write MM-DD, YYYY-MM-DD or --MM-DD")
    if match[1] not in _DAYS:
        raise NoMonthDay(text, "is not a day of the calendar")
    return match[1]


def celebrated_on(day: date, rule: LeapRule) -> list[str]:
    """Return the month-days that are celebrated on day: its own, and at times 29 February."""
    found = [f"{day:%m-%d}"]
    if not calendar.isleap(day.year) and (
        (rule is LeapRule.FEB_28 and found == ["02-28"])
        or (rule is LeapRule.MAR_1 and found == ["03-01"])
    ):
        found.append("02-29")
    return found


def next_on_or_after(month_day: str, day: date, rule: LeapRule) -> date:
    """Return the first date from day on at which month_day is celebrated.

    The gap between two celebrations is at most eight years (29 February around 2100 with `skip`).
    """
    for year in range(day.year, day.year + 9):
        found = _in_year(month_day, year, rule)
        if found and found >= day:
            return found
    raise ValueError(f"{month_day!r} is not a month-day")


def _in_year(month_day: str, year: int, rule: LeapRule) -> date | None:
    if month_day == "02-29" and not calendar.isleap(year):
        if rule is LeapRule.SKIP:
            return None
        return date(year, 2, 28) + timedelta(days=rule is LeapRule.MAR_1)
    return date(year, int(month_day[:2]), int(month_day[3:]))
