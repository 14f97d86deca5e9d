"""Keep the months: make those that come, drop those that are over and done with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from birthday_cli.config import Settings
from birthday_cli.db import partitions, roles
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partitions import GUARD, MESSAGES
from birthday_cli.db.pooler import require_session
from birthday_cli.domain.months import Month
from birthday_cli.domain.states import FINAL
from birthday_cli.errors import BdayschedError

_LOCK_WAIT = 60.0
_LONGEST_DAY = timedelta(hours=36)


def create(settings: Settings, now: datetime, months: int, dry_run: bool = False) -> list[str]:
    """Make the partitions of this month and the next `months`; return the names of the new ones.

    Raises NotUpToDate before the first `migrate`, Locked when a table stays locked.
    """
    with connect(settings, "bdaysched create-partitions") as connection:
        partitions.require_table(connection)
        if dry_run:
            return missing(connection, now, months)
        require_session(connection)
        with advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT):
            return create_locked(connection, now, months)


def create_locked(
    connection: Connection, now: datetime, months: int, months_back: int = 0
) -> list[str]:
    """Make what `create` makes, over a connection that holds Lock.SCHEMA.

    `months_back` reaches into the past, for sample data. Also gives the guard's triggers to a
    partition that somebody made by hand, and the program's roles their rights.
    """
    wanted = _wanted(now, months, months_back)
    created = []
    for table, month in _missing(connection, wanted):
        partitions.create_month(connection, table, month)
        created.append(month.partition_of(table))
    for partition in partitions.existing(connection, MESSAGES):
        partitions.guard_triggers(connection, partition.name)
    roles.grant(connection)
    return created


def missing(connection: Connection, now: datetime, months: int) -> list[str]:
    """Return the names of the partitions that `create` would make."""
    wanted = _wanted(now, months, 0)
    return [month.partition_of(table) for table, month in _missing(connection, wanted)]


def _wanted(now: datetime, months: int, months_back: int) -> list[tuple[str, Month]]:
    # In the west it may still be yesterday, and yesterday's messages are sent all day.
    first, last = Month.of(now - _LONGEST_DAY).plus(-months_back), Month.of(now).plus(months)
    # A local date can lie a day to either side of its instant's date in UTC, so the guard, which is
    # kept by local date, has a month more at both ends.
    guard = first.plus(-1).until(last.plus(1))
    return [(GUARD, month) for month in guard] + [(MESSAGES, month) for month in first.until(last)]


def _missing(connection: Connection, wanted: list[tuple[str, Month]]) -> list[tuple[str, Month]]:
    there = {
        (table, partition.month)
        for table in (GUARD, MESSAGES)
        for partition in partitions.existing(connection, table)
    }
    return [pair for pair in wanted if pair not in there]


@dataclass(frozen=True)
class Expired:
    """A month that is older than what is kept, with its rows by status."""

    partition: str
    rows: dict[str, int]

    @property
    def unfinished(self) -> int:
        """Rows that are neither SENT nor FAILED."""
        return sum(count for status, count in self.rows.items() if status not in FINAL)


def expired(settings: Settings, now: datetime, months: int) -> list[Expired]:
    """Return the months that ended more than `months` months before the current one began."""
    with connect(settings, "bdaysched drop-partitions") as connection:
        partitions.require_table(connection)
        return [
            Expired(partition.name, partitions.count_by_status(connection, partition.name))
            for partition in _expired(connection, now, months)
        ]


def drop(settings: Settings, now: datetime, months: int, force: bool = False) -> list[Expired]:
    """Detach and drop the months that `expired` names; return them.

    The guard keeps their dates, so nothing that was sent then can be planned again. Raises
    BdayschedError, before anything is dropped, when a month holds rows that are not finished and
    `force` is not set.
    """
    with connect(settings, "bdaysched drop-partitions") as connection:
        partitions.require_table(connection)
        require_session(connection)
        with advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT):
            doomed = [
                (partition, Expired(partition.name, rows))
                for partition in _expired(connection, now, months)
                for rows in [partitions.count_by_status(connection, partition.name)]
            ]
            for _, month in doomed:
                if month.unfinished and not force:
                    raise BdayschedError(
                        f"{month.partition} holds {month.unfinished} messages that are neither"
                        " SENT nor FAILED: let `bdaysched schedule` settle them, or use --force"
                    )
            for partition, _ in doomed:
                partitions.drop(connection, partition)
            return [month for _, month in doomed]


def _expired(connection: Connection, now: datetime, months: int) -> list[partitions.Partition]:
    oldest_kept = Month.of(now).plus(-months)
    return [
        partition
        for partition in (
            *partitions.existing(connection, MESSAGES),
            *partitions.detached(connection),
        )
        if partition.month < oldest_kept
    ]
