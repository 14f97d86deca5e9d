"""How far the months reach, against how far planning can need them: the runway."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partitions import default_of_messages
from birthday_cli.domain.months import Month
from birthday_cli.errors import Locked
from birthday_cli.pipeline.partitions import months

MARGIN = timedelta(days=31)
"""Who makes months once a month has missed one run, and not yet a message, when it is too short."""

_ONE_DAY = timedelta(days=1)
_A_YEARS_MONTHS = 12
_NAMES = 3
# `schedule` comes again in a minute.
_SHORT_WAIT = 2.0


@dataclass(frozen=True)
class Runway:
    """How far the months reach, and how far they have to.

    `reaches` is the end of the unbroken months from the current one on, of both tables; `needed`
    the furthest instant of sending that planning can ask for now. `missing` names the partitions
    that lack until a margin after that, and `problem` says so, with the command that mends it.
    """

    reaches: datetime
    needed: datetime
    missing: list[str]
    problem: str | None


def runway(connection: Connection, settings: Settings, now: datetime) -> Runway:
    """Return how far the months reach, and whether that is far enough.

    The rule: somebody, or somebody who is added in a minute, may celebrate on any day of the year,
    so any day is the next date of a user, and planning asks for every one up to SCHEDULE_HORIZON
    from now. A date beyond that needs its month only when the horizon gets there. To this come a
    day for the zones, in which a date begins up to 14 hours before it does in UTC, and ends up to
    12 hours after; and, so that there is time to act, `MARGIN`. No date is more than a year away,
    which is why `migrate` makes 12 months, and why 12 are recommended.
    """
    needed = _needed(settings, now)
    last = Month.of(needed + MARGIN)
    there = months.there(connection)
    wanted = months.between(months.first_in_use(now), last)
    missing = [month.partition_of(table) for table, month in wanted if (table, month) not in there]
    reaches = Month.of(now)
    while there.issuperset(months.between(reaches, reaches)):
        reaches = reaches.plus(1)
    if not missing:
        return Runway(reaches.start, needed, [], None)
    ahead = max(last.months_after(Month.of(now)), _A_YEARS_MONTHS)
    names = ", ".join(missing[:_NAMES])
    if len(missing) > _NAMES:
        names += f" and {len(missing) - _NAMES} more"
    return Runway(
        reaches.start,
        needed,
        missing,
        f"no {names}: the months reach until {reaches.first_day}, and planning can need them until"
        f" {needed:%Y-%m-%d}; a month more is wanted: run `bdaysched create-partitions {ahead}`",
    )


def lengthen(connection: Connection, settings: Settings, now: datetime) -> list[str]:
    """Make the months that the runway lacks, if there are any and the role may; return them.

    Where the role may not, or the locks do not come at once, nothing is said: what planning then
    misses in truth it names itself, and the next run tries again. To empty a default partition,
    which may take long, is left to `create-partitions`.
    """
    if not runway(connection, settings, now).missing or default_of_messages(connection):
        return []
    ahead = Month.of(_needed(settings, now) + MARGIN).months_after(Month.of(now))
    with suppress(Locked, errors.InsufficientPrivilege), advisory_lock(connection, Lock.SCHEMA):
        return months.create_locked(connection, now, ahead, wait=_SHORT_WAIT)
    return []


def _needed(settings: Settings, now: datetime) -> datetime:
    return now + timedelta(seconds=settings.schedule_horizon) + _ONE_DAY
