"""First step: who gets what when. Inserts the messages of the coming days, SCHEDULED."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import messages, partitions
from birthday_cli.db.connect import Connection
from birthday_cli.db.messages import CalendarLine, Previewed
from birthday_cli.domain import send_time, zones
from birthday_cli.domain.message_types import MESSAGE_TYPES, MessageType
from birthday_cli.domain.month_day import LeapRule, celebrated_on
from birthday_cli.domain.months import Month
from birthday_cli.errors import MissingPartition, UsageError

# Local dates lie up to a day to either side of the date in UTC.
_ONE_DAY = timedelta(days=1)


def plan(
    connection: Connection,
    now: datetime,
    horizon: timedelta,
    leap_rule: LeapRule,
    dry_run: bool = False,
) -> dict[str, int]:
    """Insert the messages that are due until now + horizon; return their numbers by type.

    Messages of the user's own current day are planned even when their hour has passed; they go out
    late, until the day is over. Idempotent: what has been planned is left alone. `dry_run` counts,
    and rolls back. Raises MissingPartition, naming the months, before anything is inserted.
    """
    counts = {}
    with connection.transaction(force_rollback=dry_run):
        months = {partition.month for partition in partitions.existing(connection, "message_logs")}
        for message_type in MESSAGE_TYPES:
            calendar = [
                line
                for line in _calendar(connection, message_type, _dates(now, horizon), leap_rule)
                if line.scheduled_send_time <= now + horizon
                and line.delivery_date >= send_time.local_day(now, zones.load(line.timezone))
            ]
            _require_months(calendar, months, now)
            counts[message_type.name] = (
                messages.plan(connection, message_type, calendar) if calendar else 0
            )
    return counts


def leap_rule_of(settings: Settings) -> LeapRule:
    """Return the rule that LEAP_DAY names; UsageError when there is no such rule."""
    try:
        return LeapRule(settings.leap_day)
    except ValueError as problem:
        raise UsageError(
            f"LEAP_DAY={settings.leap_day!r} is not one of {', '.join(LeapRule)}"
        ) from problem


def preview(
    connection: Connection,
    first: date,
    days: int,
    leap_rule: LeapRule,
    user_id: UUID | None = None,
) -> list[Previewed]:
    """Return who is to get what on so many local dates from first on, in the order of sending."""
    dates = [first + timedelta(days=count) for count in range(days)]
    found: list[Previewed] = []
    for message_type in MESSAGE_TYPES:
        if calendar := _calendar(connection, message_type, dates, leap_rule):
            found += messages.preview(connection, message_type, calendar, user_id)
    return sorted(found, key=lambda message: (message.scheduled_send_time, message.email))


def _calendar(
    connection: Connection, message_type: MessageType, dates: list[date], leap_rule: LeapRule
) -> list[CalendarLine]:
    month_days = {day: celebrated_on(day, leap_rule) for day in dates}
    wanted = sorted({found for days in month_days.values() for found in days})
    lines = []
    for name in messages.due_zones(connection, message_type, wanted):
        zone = zones.load(name)
        for day in dates:
            send_at = send_time.instant(day, message_type.send_at, zone)
            expires_at = send_time.end_of_local_day(send_at, zone)
            lines += [
                CalendarLine(day, month_day, name, send_at, expires_at)
                for month_day in month_days[day]
            ]
    return lines


def _dates(now: datetime, horizon: timedelta) -> list[date]:
    first, last = (now - _ONE_DAY).date(), (now + horizon + _ONE_DAY).date()
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _require_months(calendar: list[CalendarLine], months: set[Month], now: datetime) -> None:
    needed = {Month.of(line.scheduled_send_time) for line in calendar}
    if missing := sorted(needed - months):
        ahead = max(missing[-1].months_after(Month.of(now)), 1)
        raise MissingPartition(
            f"there is no partition for {', '.join(map(str, missing))}:"
            f" run `bdaysched create-partitions {ahead}`"
        )
