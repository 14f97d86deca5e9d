"""The books: everyone who was to get a message, against the messages that there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import auditing, partitions
from birthday_cli.db.auditing import Lateness, Verdict
from birthday_cli.db.connect import Connection, connect
from birthday_cli.domain import calendar
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.months import Month
from birthday_cli.domain.rules import Rules

# What is wrong, in words; {expected} and {found} are send times.
PROBLEMS = {
    "gap": "was to get it at {expected}, and has no message",
    "duplicate": "has a second message, at {found}",
    "extra": "has a message at {found} without a reason",
    "moved": "was to get it at {expected}, not at {found}",
    "overdue": "has it still pending, though it is too late since it was due at {found}",
    "early": "got it before it was due at {found}",
}
_NAMED = 1_000
# Mornings that came into the horizon since the last run of `schedule` are nobody's fault.
_GRACE = timedelta(hours=1)
# A date lasts from 14 hours before it does in UTC to 12 hours after; the rest is a margin.
_BEFORE, _AFTER = timedelta(days=1), timedelta(days=3)


@dataclass
class Books:
    """One local date: `eligible` people, and their messages by state.

    Without problems eligible = sent + failed + pending. Pending are also those who were changed and
    not yet planned anew. Lateness is None where nothing was sent.
    """

    date: date
    eligible: int = 0
    sent: int = 0
    failed: int = 0
    pending: int = 0
    problems: int = 0
    lateness: Lateness | None = None


@dataclass(frozen=True)
class Problem:
    """One person whose message is not as it should be; `kind` is one of PROBLEMS."""

    kind: str
    date: date
    message_type: str
    user_id: UUID
    email: str
    expected: datetime | None
    found: datetime | None


@dataclass
class Audit:
    """The books of some local dates. `problems` are named up to a thousand of a kind and date.

    `months_gone` have no partition: their dates are left out.
    """

    first: date
    last: date
    days: list[Books] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    months_gone: list[str] = field(default_factory=list)
    lateness: Lateness | None = None

    @property
    def balanced(self) -> bool:
        """Whether every eligible user has exactly one message, at the right time."""
        return not self.counts

    def total(self, column: str) -> int:
        """Return the sum of a column of the days' books."""
        return sum(int(asdict(books)[column]) for books in self.days)


def audit(settings: Settings, now: datetime, first: date, last: date) -> Audit:
    """Audit the users' local dates from first to last.

    Who was eligible is reckoned from the users as they are, by the rules as they are, and not from
    anything that planning wrote. A message that does not fit a user who was changed since it was
    planned is not held against anybody, nor is a day that was over when the user was last changed.
    Days that `schedule` need not have planned by now are left out.
    """
    rules = ruling.of(settings)
    planned_until = now + timedelta(seconds=settings.schedule_horizon) - _GRACE
    with connect(settings, "bdaysched audit") as connection:
        return audit_over(connection, rules, now, max(now, planned_until), first, last)


def audit_over(
    connection: Connection,
    rules: Rules,
    now: datetime,
    planned_until: datetime,
    first: date,
    last: date,
) -> Audit:
    """Do what `audit` does, over a connection; what is due by planned_until must be planned."""
    partitions.require_table(connection)
    report = Audit(first, last)
    months = {partition.month for partition in partitions.existing(connection, partitions.MESSAGES)}
    lateness = auditing.lateness(connection, first, last, (_span(first)[0], _span(last)[1]))
    report.lateness = lateness.get(None)
    gone: set[Month] = set()
    for day in (first + timedelta(days=count) for count in range((last - first).days + 1)):
        books = Books(day, lateness=lateness.get(day))
        for message_type in rules.message_types:
            lines = list(calendar.lines(message_type, [day], rules))
            missing = {Month.of(line.scheduled_send_time) for line in lines} - months
            gone |= {month for month in missing if month.start < planned_until}
            judged = [
                (line, line.scheduled_send_time <= planned_until)
                for line in lines
                if Month.of(line.scheduled_send_time) in months
            ]
            for verdict in auditing.judge_day(
                connection, message_type, day, judged, _span(day), now, _NAMED
            ):
                _enter(report, books, message_type, verdict)
        report.days.append(books)
    report.months_gone = [str(month) for month in sorted(gone)]
    return report


def _span(day: date) -> tuple[datetime, datetime]:
    midnight = datetime.combine(day, time(), UTC)
    return midnight - _BEFORE, midnight + _AFTER


def _enter(report: Audit, books: Books, message_type: MessageType, verdict: Verdict) -> None:
    books.sent += verdict.sent
    books.failed += verdict.failed
    books.pending += verdict.pending
    if verdict.name not in ("extra", "duplicate"):
        books.eligible += verdict.counted
    if verdict.name in PROBLEMS:
        books.problems += verdict.counted
        report.counts[verdict.name] = report.counts.get(verdict.name, 0) + verdict.counted
        report.problems += _named(books.date, message_type, verdict)


def _named(day: date, message_type: MessageType, verdict: Verdict) -> Iterator[Problem]:
    columns = (verdict.user_ids, verdict.emails, verdict.expected, verdict.found)
    for user_id, email, expected, found in zip(*(column or [] for column in columns), strict=True):
        yield Problem(verdict.name, day, message_type.name, user_id, email, expected, found)
