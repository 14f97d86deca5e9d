"""Why one user gets, or got, a message when: what the program reckons, and what is on record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from birthday_cli.config import Settings
from birthday_cli.db import explaining, partitions
from birthday_cli.db.connect import Connection, connect
from birthday_cli.domain import clocks, explanation, zones
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.explanation import Gone, Next, Person, Row, Told
from birthday_cli.domain.months import Month
from birthday_cli.domain.rules import Rules
from birthday_cli.errors import BdayschedError


class Applied(NamedTuple):
    """The settings that decided, in seconds where they are times.

    `max_lateness_seconds` is None for the end of the user's day, `quiet_hours` None for none.
    """

    leap_day: str
    max_lateness_seconds: float | None
    quiet_hours: str | None
    schedule_horizon_seconds: float


@dataclass(frozen=True)
class Explanation:
    """A user, what is to be sent next, and what was: the latest messages, and how many are older.

    `next` is in the order of sending, with one for each type that the user has a date for; `gone`
    are dates of which only the guard knows that there was a message.
    """

    now: datetime
    user: Person
    local_time: str
    utc_offset: str
    is_quiet: bool
    time_zone_data: str
    settings: Applied
    next: list[Next]
    messages: list[Told]
    older_messages: int
    gone: list[Gone]


def explain(settings: Settings, now: datetime, who: str, limit: int) -> Explanation:
    """Return all there is to say about the user with that e-mail or id, also a deleted one.

    Of the messages, and of those that are gone, the latest `limit`. Raises BdayschedError for an
    unknown user, and for one whose zone the program's time-zone data does not have.
    """
    rules = ruling.of(settings)
    horizon = timedelta(seconds=settings.schedule_horizon)
    with connect(settings, "bdaysched explain") as connection, explaining.snapshot(connection):
        partitions.require_table(connection)
        person = explaining.find_person(connection, who, rules.message_types)
        if not person:
            raise BdayschedError(
                f"there is no user {who!r}, and none who was deleted: see `bdaysched users list`"
            )
        if person.timezone not in zones.names():
            raise BdayschedError(
                f"{who!r} lives in {person.timezone}, which is not in the time-zone data"
                f" {zones.version()} of this host, so nothing is planned: update tzdata"
            )
        rows = explaining.messages_of(connection, person.id)
        months = {month for _, month, _ in partitions.existing(connection, partitions.MESSAGES)}
        gone = _gone(connection, person, rows, rules, months)
        coming = []
        for message_type in rules.message_types:
            settled = explanation.settled(message_type, rows, gone)
            found = explanation.upcoming(message_type, person, now, horizon, rules, settled)
            if found:
                coming.append(_with_records(connection, found, rows, months))
    zone = zones.load(person.timezone)
    types = {message_type.name: message_type for message_type in rules.message_types}
    lateness = rules.max_lateness
    return Explanation(
        now=now,
        user=person,
        local_time=clocks.shown(now, zone),
        utc_offset=clocks.offset(now, zone),
        is_quiet=person.timezone in rules.quiet_zones(now),
        time_zone_data=zones.version(),
        settings=Applied(
            leap_day=rules.leap_rule,
            max_lateness_seconds=lateness.total_seconds() if lateness else None,
            quiet_hours=str(rules.quiet_hours) if rules.quiet_hours else None,
            schedule_horizon_seconds=settings.schedule_horizon,
        ),
        next=sorted(coming, key=lambda message: message.scheduled_send_time),
        messages=[
            explanation.tell(row, types.get(row.message_type), person, rules)
            for row in rows[:limit]
        ],
        older_messages=len(rows[limit:]),
        gone=gone[:limit],
    )


def _gone(
    connection: Connection, person: Person, rows: list[Row], rules: Rules, months: set[Month]
) -> list[Gone]:
    guards = partitions.existing(connection, partitions.GUARD)
    if not guards:
        return []
    first, last = guards[0].month.first_day, guards[-1].month.plus(1).first_day
    celebrated = {
        (message_type, day)
        for message_type in rules.message_types
        if (month_day := person.dates[message_type.name])
        for day in explanation.celebrations(month_day, first, last, rules.leap_rule)
    }
    there = {(row.message_type, row.delivery_date) for row in rows}
    known = explaining.guarded(connection, person.id, sorted({day for _, day in celebrated}))
    found = [
        explanation.gone(message_type, person, day, rules, months)
        for message_type, day in celebrated
        if (message_type.name, day) in known - there
    ]
    return sorted(found, key=lambda gone: (gone.delivery_date, gone.message_type), reverse=True)


def _with_records(connection: Connection, found: Next, rows: list[Row], months: set[Month]) -> Next:
    planned = next(
        (
            row
            for row in rows
            if (row.message_type, row.delivery_date) == (found.message_type, found.delivery_date)
        ),
        None,
    )
    return replace(
        found,
        has_partition=Month.of(found.scheduled_send_time) in months,
        status=planned.status if planned else None,
        planned_at=planned.created_at if planned else None,
        planned_for=planned.scheduled_send_time if planned else None,
        morning_planned_at=explaining.morning_planned_at(
            connection, found.message_type, found.delivery_date, found.scheduled_send_time
        ),
    )
