"""Bring the schema up to date, and make the months that the next year needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from birthday_cli.config import Settings
from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import Connection, connect_to, database
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.migrations import available
from birthday_cli.db.migrations_apply import add_time_zones, apply, check
from birthday_cli.db.migrations_check import had, pending
from birthday_cli.db.migrations_rehearsal import PlannedFile, rehearse
from birthday_cli.db.partition_indexes import build_missing
from birthday_cli.db.partitions import GUARD, MESSAGES, create_month, existing
from birthday_cli.db.scratch import scratch
from birthday_cli.domain import zones
from birthday_cli.errors import DatabaseUnreachable
from birthday_cli.pipeline.partitions import months

MONTHS_AHEAD = 12
_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Migrated:
    """What was done, or would be: file names of migrations, names of partitions."""

    migrations: list[str] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)


def migrate(
    settings: Settings,
    now: datetime,
    wait: float = 0,
    dry_run: bool = False,
    to: str | None = None,
) -> Migrated:
    """Apply the pending migrations in order, then make this month's partition and the next 12.

    Waits up to `wait` seconds for a server that is not up yet, and for at least that long for
    another `migrate` that is under way and for tables that others hold. With `to`, stops after the
    migration of that version, and makes no partitions. Raises NotUpToDate when an applied file was
    edited or is missing, UsageError for a version that there is not and for a pooler that shares
    sessions, Locked when the other run does not end, and whatever connecting raises.
    """
    with _patiently(settings, wait) as (_, connection):
        if dry_run:
            waiting = [migration.file for migration in pending(connection, to)]
            return Migrated(waiting, [] if to else months.missing(connection, now, MONTHS_AHEAD))
        with advisory_lock(connection, Lock.SCHEMA, wait=max(wait, _LOCK_WAIT)):
            record.prepare(connection, available())
            found = pending(connection, to)
            for migration in found:
                check(migration)
            # First what an interrupted run has left.
            build_missing(connection, wait)
            for migration in found:
                apply(connection, migration, wait)
                build_missing(connection, wait)
            done = [migration.file for migration in found]
            if to:
                return Migrated(done, [])
            add_time_zones(connection, sorted(zones.names()))
            return Migrated(done, months.create_locked(connection, now, MONTHS_AHEAD))


@dataclass(frozen=True)
class Plan:
    """What `migrate` would do: files with their statements, names of partitions."""

    migrations: list[PlannedFile]
    partitions: list[str]


def plan(settings: Settings, now: datetime, wait: float = 0, to: str | None = None) -> Plan:
    """Return what `migrate` would do, with the locks that each statement would take.

    They are found by rehearsal on a scratch copy, to which the migrations that were applied, as
    they were recorded, and the months that there are make the same schema. The database itself is
    only read. Raises as `migrate` does, and what making a scratch database raises.
    """
    with _patiently(settings, wait) as (conninfo, connection):
        found = pending(connection, to)
        for migration in found:
            check(migration)
        partitions = [] if to else months.missing(connection, now, MONTHS_AHEAD)
        if not found:
            return Plan([], partitions)
        with scratch(settings, conninfo) as copy:
            with connect_to(copy, settings, "bdaysched rehearsal") as ours:
                record.prepare(ours)
                for migration in had(connection):
                    apply(ours, migration)
                for table in (GUARD, MESSAGES):
                    for partition in existing(connection, table):
                        create_month(ours, table, partition.month)
            return Plan(rehearse(settings, copy, found), partitions)


@contextmanager
def _patiently(settings: Settings, wait: float) -> Iterator[tuple[str, Connection]]:
    give_up = time.monotonic() + wait
    while True:
        connected = False
        try:
            with (
                database(settings) as conninfo,
                connect_to(conninfo, settings, "bdaysched migrate") as connection,
            ):
                connected = True
                yield conninfo, connection
                return
        except DatabaseUnreachable:
            if connected or time.monotonic() >= give_up:
                raise
            time.sleep(0.5)
