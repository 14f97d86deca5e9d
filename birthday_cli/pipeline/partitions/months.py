"""The months that come: made before anything needs them. What is over is for retain.py."""

from __future__ import annotations

from datetime import datetime, timedelta

from birthday_cli.config import Settings
from birthday_cli.db import default_partition, partition_events, partitions, roles
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partition_events import Kind
from birthday_cli.db.partitions import GUARD, MESSAGES, WAIT, State
from birthday_cli.domain.months import Month

_LOCK_WAIT = 60.0
_LONGEST_DAY = timedelta(hours=36)


def create(
    settings: Settings, now: datetime, months: int, dry_run: bool = False, wait: float = WAIT
) -> list[str]:
    """Make the partitions of this month and the next `months`; return the names of the new ones.

    Raises NotUpToDate before the first `migrate`, Locked when a table stays locked for longer than
    `wait` seconds, or another run is under way.
    """
    with connect(settings, "bdaysched create-partitions") as connection:
        partitions.require_table(connection)
        if dry_run:
            default = partitions.default_of_messages(connection)
            homes = default_partition.months_of(connection, default) if default else []
            names = [month.partition_of(MESSAGES) for month in homes]
            return [
                *names,
                *(name for name in missing(connection, now, months) if name not in names),
            ]
        with advisory_lock(connection, Lock.SCHEMA, wait=max(wait, _LOCK_WAIT)):
            return create_locked(connection, now, months, wait=wait)


def create_locked(
    connection: Connection, now: datetime, months: int, months_back: int = 0, wait: float = WAIT
) -> list[str]:
    """Make what `create` makes, over a connection that holds Lock.SCHEMA.

    `months_back` reaches into the past, for sample data. A month that was detached is attached
    again, with its rows; those of a default partition are given their months first. Also gives the
    guard's triggers to a partition that somebody made by hand, and the program's roles their
    rights. Nothing is dropped here, ever.
    """
    wanted = between(first_in_use(now).plus(-months_back), Month.of(now).plus(months))
    created = []
    if default := partitions.default_of_messages(connection):
        for month in default_partition.empty(connection, default, wait):
            created.append(month.partition_of(MESSAGES))
            _note(connection, created[-1], Kind.CREATED)
    for table, month in _lacking(connection, wanted):
        _bring_about(connection, table, month, wait)
        created.append(month.partition_of(table))
    for partition in partitions.existing(connection, MESSAGES):
        partitions.guard_triggers(connection, partition.name, wait)
    roles.grant(connection)
    if created:
        for table in (GUARD, MESSAGES):
            partitions.analyze(connection, table)
    return created


def _bring_about(connection: Connection, table: str, month: Month, wait: float) -> None:
    name = month.partition_of(table)
    there = next((apart for apart in partitions.apart(connection) if apart.name == name), None)
    if there:
        partitions.detach(connection, there, wait)
        partitions.attach_month(connection, table, month, wait)
    else:
        partitions.create_month(connection, table, month, wait)
    _note(connection, name, Kind.RESTORED if there else Kind.CREATED)


def _note(connection: Connection, name: str, event: Kind) -> None:
    partition_events.note(connection, name, event, connection.info.user)


def missing(connection: Connection, now: datetime, months: int) -> list[str]:
    """Return the names of the partitions that `create` would make."""
    wanted = between(first_in_use(now), Month.of(now).plus(months))
    return [month.partition_of(table) for table, month in _lacking(connection, wanted)]


def first_in_use(now: datetime) -> Month:
    """Return the first month that messages of now may belong to.

    In the west it may still be yesterday, and yesterday's messages are sent all day.
    """
    return Month.of(now - _LONGEST_DAY)


def between(first: Month, last: Month) -> list[tuple[str, Month]]:
    """Return each table with each of its months that messages sent from first to last need.

    A local date can lie a day to either side of its instant's date in UTC, so the guard, which is
    kept by local date, has a month more at both ends.
    """
    guard = first.plus(-1).until(last.plus(1))
    return [(GUARD, month) for month in guard] + [(MESSAGES, month) for month in first.until(last)]


def there(connection: Connection) -> set[tuple[str, Month]]:
    """Return each table with each of its months; what is half-detached is not there."""
    return {
        (table, partition.month)
        for table in (GUARD, MESSAGES)
        for partition in partitions.existing(connection, table)
        if partition.state is State.ATTACHED
    }


def _lacking(connection: Connection, wanted: list[tuple[str, Month]]) -> list[tuple[str, Month]]:
    found = there(connection)
    return [pair for pair in wanted if pair not in found]
