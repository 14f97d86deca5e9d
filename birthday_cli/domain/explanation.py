"""Why one user gets a message when: what is reckoned from the user, the rules and the clocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from birthday_cli.domain import calendar, clocks, zones
from birthday_cli.domain.calendar import Line
from birthday_cli.domain.clocks import Change
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.month_day import LeapRule, celebrated_on, next_on_or_after
from birthday_cli.domain.months import Month
from birthday_cli.domain.rules import Rules
from birthday_cli.domain.states import FINAL

_ONE_DAY = timedelta(days=1)


class Person(NamedTuple):
    """A user. `changed_at` is when a change was noted that planning has not looked at yet.

    `dates` are the months and days, by message type.
    """

    id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    location_city: str | None
    location_country: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    changed_at: datetime | None
    dates: dict[str, str | None]


RETRIED = "tried again"
"""What a person has done to a FAILED message; it has all its attempts anew."""


class Attempt(NamedTuple):
    """An attempt that did not deliver, as it was recorded; or what `by`, a person, did to it."""

    ended_at: datetime
    outcome: str
    code: int | None
    error: str | None
    by: str | None = None


class Row(NamedTuple):
    """A row of message_logs, as it stands; `is_held` if it waits for a person to decide."""

    id: UUID
    message_type: str
    delivery_date: date
    scheduled_send_time: datetime
    expires_at: datetime | None
    status: str
    message_content: str
    idempotency_key: str
    partition: str
    created_at: datetime
    updated_at: datetime
    retry_count: int
    last_retry_at: datetime | None
    next_attempt_at: datetime | None
    lease_expires_at: datetime | None
    lease_is_over: bool
    actual_send_time: datetime | None
    api_response_code: int | None
    api_response_body: str | None
    error_message: str | None
    is_held: bool
    attempts: list[Attempt]


class Gone(NamedTuple):
    """A local date for which there was a message, and is none. Its month may be gone as well."""

    message_type: str
    delivery_date: date
    partition: str
    has_partition: bool


@dataclass(frozen=True)
class Next:
    """The next message of a type: local date, instant, clocks, and where it is kept.

    `changed_offset` is the change by which the offset differs from that of now, `unusual_clock` one
    that leaves out or repeats the time of day at which it is to be sent. It is to be planned by
    `planned_by`. What follows is what the database has: `planned_at` and `planned_for` are of the
    message, `morning_planned_at` is when everyone was planned who gets it at that instant.
    """

    message_type: str
    month_day: str
    delivery_date: date
    scheduled_send_time: datetime
    local_time: str
    utc_offset: str
    changed_offset: Change | None
    unusual_clock: Change | None
    expires_at: datetime
    partition: str
    planned_by: datetime
    has_partition: bool = False
    status: str | None = None
    planned_at: datetime | None = None
    planned_for: datetime | None = None
    morning_planned_at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """A message, by the user's clock of today. `lateness_seconds` is below 0 when it went early.

    `expected_send_time` is what the send time of its local date would be for the user of today;
    None when the user celebrates nothing of the kind on that date.
    """

    row: Row
    local_time: str
    utc_offset: str
    unusual_clock: Change | None
    expected_send_time: datetime | None
    sent_local_time: str | None
    lateness_seconds: float | None

    @property
    def fits(self) -> bool:
        """Whether the user of today would get it at the same instant."""
        return self.expected_send_time == self.row.scheduled_send_time


def upcoming(
    message_type: MessageType,
    person: Person,
    now: datetime,
    horizon: timedelta,
    rules: Rules,
    settled: Set[date],
) -> Next | None:
    """Return the next message of a type that can still be sent, for a local date not in settled.

    None when the user has no such date, or was deleted.
    """
    month_day = person.dates[message_type.name]
    if not month_day or person.deleted_at:
        return None
    zone = zones.load(person.timezone)
    day = (now - rules.look_back).date()
    while True:
        day = next_on_or_after(month_day, day, rules.leap_rule)
        line = _line(message_type, person, day, rules)
        if line.expires_at > now and day not in settled:
            break
        day += _ONE_DAY
    send_at = line.scheduled_send_time
    until_then = clocks.changes(now, send_at, zone)
    differs = clocks.offset(now, zone) != clocks.offset(send_at, zone)
    return Next(
        message_type=message_type.name,
        month_day=month_day,
        delivery_date=day,
        scheduled_send_time=send_at,
        local_time=clocks.shown(send_at, zone),
        utc_offset=clocks.offset(send_at, zone),
        changed_offset=until_then[-1] if differs and until_then else None,
        unusual_clock=clocks.unusual(day, message_type.send_at, zone),
        expires_at=line.expires_at,
        partition=Month.of(send_at).partition_of("message_logs"),
        planned_by=send_at - horizon,
    )


def tell(row: Row, message_type: MessageType | None, person: Person, rules: Rules) -> Told:
    """Return row with what the user's clock shows; message_type is None for an undeclared one."""
    zone = zones.load(person.timezone)
    day, expected, unusual_clock = row.delivery_date, None, None
    if message_type and person.dates[message_type.name] in celebrated_on(day, rules.leap_rule):
        expected = _line(message_type, person, day, rules).scheduled_send_time
        unusual_clock = clocks.unusual(day, message_type.send_at, zone)
    sent_at = row.actual_send_time
    return Told(
        row,
        local_time=clocks.shown(row.scheduled_send_time, zone),
        utc_offset=clocks.offset(row.scheduled_send_time, zone),
        unusual_clock=unusual_clock,
        expected_send_time=expected,
        sent_local_time=clocks.shown(sent_at, zone) if sent_at else None,
        lateness_seconds=(sent_at - row.scheduled_send_time).total_seconds() if sent_at else None,
    )


def celebrations(month_day: str, first: date, last: date, rule: LeapRule) -> Iterator[date]:
    """Yield the dates from first to last on which month_day is celebrated."""
    while (day := next_on_or_after(month_day, first, rule)) <= last:
        yield day
        first = day + _ONE_DAY


def settled(message_type: MessageType, rows: Iterable[Row], gone: Iterable[Gone]) -> set[date]:
    """Return the local dates on which nothing of a type is sent any more."""
    name = message_type.name
    done = {row.delivery_date for row in rows if row.message_type == name and row.status in FINAL}
    return done | {lost.delivery_date for lost in gone if lost.message_type == name}


def gone(
    message_type: MessageType, person: Person, day: date, rules: Rules, months: Set[Month]
) -> Gone:
    """Return what is known of a message for day that is not there; months have a partition."""
    month = Month.of(_line(message_type, person, day, rules).scheduled_send_time)
    return Gone(message_type.name, day, month.partition_of("message_logs"), month in months)


def _line(message_type: MessageType, person: Person, day: date, rules: Rules) -> Line:
    wanted = (person.timezone, person.dates[message_type.name])
    return next(
        line
        for line in calendar.lines(message_type, [day], rules)
        if (line.timezone, line.month_day) == wanted
    )
