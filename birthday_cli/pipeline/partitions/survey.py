"""What months there are and were: how full, how large, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from birthday_cli.config import Settings
from birthday_cli.db import partitions, surveying
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.partition_events import Event, Kind
from birthday_cli.db.surveying import Table
from birthday_cli.domain.months import Month
from birthday_cli.pipeline.partitions import runway
from birthday_cli.pipeline.partitions.runway import Runway

COUNTING = 2.0
"""How many seconds may be spent on counting, unless all is to be counted."""


class State(StrEnum):
    """What has become of a month; see MonthSeen.since."""

    ATTACHED = "attached"
    PENDING = "detach pending"
    DETACHED = "detached"
    RESTORED = "restored beside"
    ARCHIVED = "archived"
    DROPPED = "dropped"
    MISSING = "missing"
    DEFAULT = "default"


class MonthSeen(NamedTuple):
    """One month, or the default partition, which has no `month`.

    `since` is when it came into its state, None if that is not known; an archived month was dropped
    then. `age_months` is 0 for the current month and negative for those that come. Rows are None
    where nothing is known; `by_status` of an estimate may add up to less than `rows`.
    """

    partition: str
    month: str | None
    state: State
    since: datetime | None
    age_months: int | None
    rows: int | None
    by_status: dict[str, int]
    is_estimate: bool
    total_bytes: int
    archived_at: datetime | None = None
    archive: str | None = None


@dataclass(frozen=True)
class _Past:
    """What is on record of a month, as it stands after its last event."""

    detached_at: datetime | None = None
    dropped_at: datetime | None = None
    restored_at: datetime | None = None
    archived_at: datetime | None = None
    archive: str | None = None
    rows: dict[str, int] | None = None

    def after(self, event: Event) -> _Past:
        """Return what is on record once event has happened, too."""
        at = event.happened_at
        rows = self.rows if event.rows is None else event.rows
        match event.event:
            case Kind.CREATED:
                return _Past()
            case Kind.DETACHED:
                return replace(self, detached_at=at, rows=rows)
            case Kind.DROPPED:
                return replace(self, dropped_at=at, rows=rows)
            case Kind.ARCHIVED:
                return replace(self, archived_at=at, archive=event.archive, rows=rows)
            case Kind.RESTORED:
                return replace(self, detached_at=None, dropped_at=None, restored_at=at)


def survey(settings: Settings, now: datetime, exact: bool = False) -> list[MonthSeen]:
    """Return the months that there are, that were, and that are missing from now on; oldest first.

    Rows are counted for COUNTING seconds at most, those of the months around now first; of others
    it is said what the server's statistics have. With `exact` all are counted, however long that
    takes. Raises NotUpToDate before the first `migrate`.
    """
    with connect(settings, "bdaysched partitions") as connection:
        partitions.require_table(connection)
        tables = surveying.tables(connection)
        past = _replayed(surveying.events(connection))
        counted = _count(connection, tables, now, None if exact else COUNTING)
    current = Month.of(now)
    seen = [
        _seen(table, past.get(table.partition, _Past()), counted.get(table.partition), current)
        for table in tables
    ]
    there = {table.partition for table in tables}
    seen += [
        _gone(partition, then, current)
        for partition, then in past.items()
        if partition not in there and then.dropped_at
    ]
    seen += _missing(tables, current)
    return sorted(seen, key=lambda each: (each.month or "", each.partition))


def runway_of(settings: Settings, now: datetime) -> Runway:
    """Return how far the months reach, and have to. Raises NotUpToDate before `migrate`."""
    with connect(settings, "bdaysched partitions") as connection:
        partitions.require_table(connection)
        return runway.runway(connection, settings, now)


def _replayed(events: Iterable[Event]) -> dict[str, _Past]:
    past: dict[str, _Past] = {}
    for event in events:
        past[event.partition] = past.get(event.partition, _Past()).after(event)
    return past


def _count(
    connection: Connection, tables: list[Table], now: datetime, limit: float | None
) -> dict[str, dict[str, int]]:
    """Return the rows by status of the tables that could be counted within limit seconds."""
    current = Month.of(now)

    def distance(table: Table) -> int:
        return abs(current.months_after(Month.of(table.starts_at))) if table.starts_at else 0

    counted = {}
    give_up = time.monotonic() + limit if limit else None
    for table in sorted(tables, key=distance):
        if table.estimated_rows == 0:
            counted[table.partition] = dict[str, int]()
            continue
        left = give_up - time.monotonic() if give_up else 0.0
        if give_up and left < 0.001:
            continue
        rows = surveying.count(connection, table.partition, left)
        if rows is not None:
            counted[table.partition] = rows
    return counted


def _seen(table: Table, then: _Past, counted: dict[str, int] | None, current: Month) -> MonthSeen:
    month = Month.of(table.starts_at) if table.starts_at else None
    state, since = _state(table, then)
    rows = table.estimated_rows
    by_status = {
        status: round((rows or 0) * share) for status, share in sorted(table.shares.items())
    }
    if counted is not None:
        rows, by_status = sum(counted.values()), counted
    return MonthSeen(
        partition=table.partition,
        month=str(month) if month else None,
        state=state,
        since=since,
        age_months=current.months_after(month) if month else None,
        rows=rows,
        by_status=by_status,
        is_estimate=counted is None,
        total_bytes=table.total_bytes,
        archived_at=then.archived_at,
        archive=then.archive,
    )


def _state(table: Table, then: _Past) -> tuple[State, datetime | None]:
    if table.starts_at is None:
        return State.DEFAULT, None
    if table.is_detach_pending:
        return State.PENDING, None
    if table.is_attached:
        return State.ATTACHED, None
    if then.restored_at and not then.detached_at:
        return State.RESTORED, then.restored_at
    return State.DETACHED, then.detached_at


def _gone(partition: str, then: _Past, current: Month) -> MonthSeen:
    year, month = map(int, partition.split("_")[-2:])
    return MonthSeen(
        partition=partition,
        month=str(Month(year, month)),
        state=State.ARCHIVED if then.archive else State.DROPPED,
        since=then.dropped_at,
        age_months=current.months_after(Month(year, month)),
        rows=None if then.rows is None else sum(then.rows.values()),
        by_status=then.rows or {},
        is_estimate=False,
        total_bytes=0,
        archived_at=then.archived_at,
        archive=then.archive,
    )


def _missing(tables: list[Table], current: Month) -> list[MonthSeen]:
    """Return the months from the current one on that have no table, and later ones have."""
    there = {Month.of(table.starts_at) for table in tables if table.starts_at}
    return [
        MonthSeen(
            partition=month.partition_of(partitions.MESSAGES),
            month=str(month),
            state=State.MISSING,
            since=None,
            age_months=current.months_after(month),
            rows=0,
            by_status={},
            is_estimate=False,
            total_bytes=0,
        )
        for month in current.until(max(there, default=current))
        if month not in there
    ]
