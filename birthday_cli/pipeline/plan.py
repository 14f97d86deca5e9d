"""First step: who gets what when. Inserts the messages of the coming days, SCHEDULED.

Planning goes by mornings and by changes. A morning is an instant at which it is send time in some
zones; when it comes into the horizon, everyone who celebrates there is planned, once. After that
only users who were added or changed are looked at again, of which the database keeps a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter

from birthday_cli.db import partitions, planning
from birthday_cli.db.connect import Connection
from birthday_cli.db.partitions import State
from birthday_cli.db.planning import Morning
from birthday_cli.domain import calendar
from birthday_cli.domain.calendar import Line
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.months import Month
from birthday_cli.domain.rules import Rules
from birthday_cli.errors import MissingPartition

_USERS_AT_ONCE = 20_000
# Mornings come on quarters of an hour, and the horizon is whole hours: without this the messages of
# a busy minute would wait while those of the same minute two days later are planned.
_BETWEEN_MORNINGS = timedelta(minutes=7)


@dataclass
class Planned:
    """What planning did: `new` messages by type, among them `missed` ones, FAILED from the start.

    `corrected` were moved or reworded, `withdrawn` removed. `lost_months` are gone, together with
    the record of who was missed in them.
    """

    new: dict[str, int] = field(default_factory=dict)
    missed: int = 0
    corrected: int = 0
    withdrawn: int = 0
    lost_months: list[str] = field(default_factory=list)


def plan(
    connection: Connection,
    now: datetime,
    horizon: timedelta,
    rules: Rules,
    full: bool = False,
    dry_run: bool = False,
) -> Planned:
    """Insert the messages that are due until now + horizon, and correct those that are there.

    Messages of the user's own current day are planned even when their hour has passed; they go out
    late. Days that passed while nothing was planned get messages that are FAILED, so that nobody is
    forgotten silently. What is QUEUED or further is left alone. `full` looks at everyone again, as
    if all had changed. Idempotent, in a transaction for each day and each batch of users; `dry_run`
    rolls back. Raises MissingPartition, naming the months, at the end: what belongs to others is
    planned by then, and what belongs to them will be once they are there.
    """
    done = Planned({message_type.name: 0 for message_type in rules.message_types})
    needed: set[Month] = set()
    with connection.transaction(force_rollback=True) if dry_run else nullcontext():
        known = planning.planned_mornings(connection)
        calendars, planned = {}, {}
        for message_type in rules.message_types:
            of_type = known.get(message_type.name, {})
            wanted = _wanted(message_type, of_type, now, horizon, rules)
            wanted = _with_months(connection, wanted, now, done, needed)
            calendars[message_type] = wanted
            planned[message_type] = [
                line
                for line in wanted
                if Morning(line.delivery_date, line.scheduled_send_time) in of_type
            ]
        # Before the mornings, which find everyone as they are by then; and after, for those who are
        # noted because a morning turned out to be another.
        _plan_changed_users(connection, planned, now, rules, done)
        for message_type, wanted in calendars.items():
            of_type = known.get(message_type.name, {})
            for day, lines in groupby(wanted, attrgetter("delivery_date")):
                _plan_day(connection, message_type, day, list(lines), of_type, now, full, done)
        _plan_changed_users(connection, calendars, now, rules, done)
        if not needed:
            planning.forget_old_mornings(connection, now - rules.look_back)
    if needed:
        ahead = max(max(needed).months_after(Month.of(now)), 1)
        raise MissingPartition(
            f"there is no partition for {', '.join(map(str, sorted(needed)))}:"
            f" run `bdaysched create-partitions {ahead}`. What belongs to other months is planned"
        )
    return done


def _wanted(
    message_type: MessageType,
    known: dict[Morning, str],
    now: datetime,
    horizon: timedelta,
    rules: Rules,
) -> list[Line]:
    """Return the lines that have been planned, or are to be: day by day, the oldest first."""
    ahead = now + horizon + _BETWEEN_MORNINGS
    instants = [morning.scheduled_send_time for morning in known] or [now]
    reached = _reached(known)
    return [
        line
        for line in calendar.lines(
            message_type,
            calendar.around(min(now, *instants), max(ahead, *instants)),
            rules,
        )
        if Morning(line.delivery_date, line.scheduled_send_time) in known
        or (
            line.scheduled_send_time <= ahead
            and (line.matters_until > now or _comes_after(line.scheduled_send_time, reached))
        )
    ]


def _reached(known: Iterable[Morning]) -> dict[Month, datetime]:
    """Return the last instant that has been planned in each month."""
    reached: dict[Month, datetime] = {}
    for _, at in sorted(known, key=attrgetter("scheduled_send_time")):
        reached[Month.of(at)] = at
    return reached


def _comes_after(at: datetime, reached: dict[Month, datetime]) -> bool:
    """Tell whether planning, which has been somewhere, has not got to at.

    Later months do not count: they may have been planned while that of at had no partition.
    """
    month = Month.of(at)
    before = [last for planned, last in reached.items() if planned <= month]
    return bool(before) and at > max(before)


def _with_months(
    connection: Connection, lines: list[Line], now: datetime, done: Planned, needed: set[Month]
) -> list[Line]:
    """Return the lines whose month has a partition; add those that lack one to what is needed.

    A month whose lines are all over is not needed any more, but lost.
    """
    months = {
        partition.month
        for partition in partitions.existing(connection, partitions.MESSAGES)
        if partition.state is State.ATTACHED
    }
    missing = {Month.of(at) for at in {line.scheduled_send_time for line in lines}} - months
    if not missing:
        return lines
    without = [line for line in lines if Month.of(line.scheduled_send_time) in missing]
    wanting = {Month.of(line.scheduled_send_time) for line in without if line.matters_until > now}
    needed |= wanting
    done.lost_months = sorted({*done.lost_months, *map(str, missing - wanting)})
    return [line for line in lines if Month.of(line.scheduled_send_time) not in missing]


def _plan_day(
    connection: Connection,
    message_type: MessageType,
    day: date,
    lines: Sequence[Line],
    known: dict[Morning, str],
    now: datetime,
    full: bool,
    done: Planned,
) -> None:
    mornings: dict[Morning, list[Line]] = {}
    for line in lines:
        mornings.setdefault(Morning(day, line.scheduled_send_time), []).append(line)
    digests = {
        morning: calendar.digest(message_type, of_morning)
        for morning, of_morning in mornings.items()
    }
    news = {morning: text for morning, text in digests.items() if known.get(morning) != text}
    gone = [morning for morning in known if morning.delivery_date == day and morning not in digests]
    if not (news or gone or full):
        return
    fresh = [line for morning in news if morning not in known for line in mornings[morning]]
    with connection.transaction():
        _insert(connection, message_type, fresh, now, done)
        if gone:
            planning.forget_mornings(connection, message_type, gone)
        if news:
            planning.record_mornings(connection, message_type, news)
        if gone or full or any(morning in known for morning in news):
            month_days = sorted({line.month_day for line in lines})
            planning.note_concerned_users(connection, message_type, day, month_days)


def _insert(
    connection: Connection,
    message_type: MessageType,
    lines: Sequence[Line],
    now: datetime,
    done: Planned,
) -> None:
    if timely := [line for line in lines if line.expires_at > now]:
        done.new[message_type.name] += planning.plan_mornings(connection, message_type, timely)
    if late := [line for line in lines if line.expires_at <= now]:
        missed = planning.plan_mornings(connection, message_type, late, _missed(now))
        done.new[message_type.name] += missed
        done.missed += missed


def _plan_changed_users(
    connection: Connection,
    calendars: dict[MessageType, list[Line]],
    now: datetime,
    rules: Rules,
    done: Planned,
) -> None:
    month_days = sorted({line.month_day for lines in calendars.values() for line in lines})
    since = now - rules.look_back
    taken = _USERS_AT_ONCE
    while taken == _USERS_AT_ONCE:
        with connection.transaction():
            taken, changed = planning.take_changed_users(
                connection, rules.message_types, month_days, now, _USERS_AT_ONCE
            )
            known, zones = changed.known_ids, set(changed.timezones)
            for message_type, all_lines in calendars.items() if changed.user_ids else ():
                lines = [line for line in all_lines if line.timezone in zones]
                if known:
                    done.withdrawn += planning.withdraw(
                        connection, message_type, lines, known, since
                    )
                    done.corrected += planning.correct(
                        connection, message_type, lines, known, since
                    )
                new, missed = planning.plan_users(
                    connection, message_type, lines, changed, now, _missed(now)
                )
                done.new[message_type.name] += new
                done.missed += missed


def _missed(now: datetime) -> str:
    return f"missed: it was planned at {now:%Y-%m-%dT%H:%MZ}, when it was too late"
