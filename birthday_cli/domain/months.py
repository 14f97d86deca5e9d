"""Months in UTC: the partitions of message_logs and their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import NamedTuple

from dateutil.relativedelta import relativedelta


class Month(NamedTuple):
    """A calendar month in UTC; months order and compare as one would expect."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> Month:
        """Return the month that a date falls in, or an instant in UTC."""
        if isinstance(day, datetime):
            day = day.astimezone(UTC)
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        """The month's first day."""
        return date(self.year, self.month, 1)

    @property
    def start(self) -> datetime:
        """The month's first instant; its end is the start of the next month."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def plus(self, months: int) -> Month:
        """Return the month that lies so many months later; earlier, when negative."""
        return Month.of(self.first_day + relativedelta(months=months))

    def until(self, last: Month) -> Iterator[Month]:
        """Yield the months from this one to last, both included."""
        month = self
        while month <= last:
            yield month
            month = month.plus(1)

    def partition_of(self, table: str) -> str:
        """Return the name of this month's partition of table, such as message_logs_2026_03."""
        return f"{table}_{self.year:04d}_{self.month:02d}"

    def months_after(self, earlier: Month) -> int:
        """Return how many months after earlier this one lies."""
        return (self.year - earlier.year) * 12 + self.month - earlier.month
