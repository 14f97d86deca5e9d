"""Adopt a database whose schema was made without `migrate`."""

from __future__ import annotations

from birthday_cli.config import Settings
from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import connect_to, database
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.migrations import available
from birthday_cli.db.migrations_check import unrecorded
from birthday_cli.db.migrations_record import Event
from birthday_cli.errors import NotUpToDate
from birthday_cli.pipeline.queue import person
from birthday_cli.pipeline.schema.build import from_migrations
from birthday_cli.pipeline.schema.check import compare

_LOCK_WAIT = 60.0


def baseline(
    settings: Settings, to: str | None = None, reason: str | None = None, dry_run: bool = False
) -> list[str]:
    """Record the migrations up to version `to` as applied, since the schema is what they build.

    Returns the names of their files; none if they were all recorded. Nothing else is changed: what
    roles may do and partitions are as they are. Raises NotUpToDate, with every difference as its
    detail, for a schema that is not that one; UsageError for a version that there is not; Locked.
    """
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched schema baseline") as connection,
        advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT),
    ):
        waiting = unrecorded(connection, to)
        if not waiting:
            return []
        expected = from_migrations(settings, conninfo, waiting[-1].version)
        if found := compare(connection, expected, with_grants=False):
            problem = NotUpToDate(
                f"the schema is not what the migrations up to {waiting[-1].file} build, in"
                f" {len(found)} places: mend them, or give its own version with --to"
            )
            problem.detail = "\n".join(map(str, found))
            raise problem
        if not dry_run:
            record.prepare(connection, available())
            with connection.transaction():
                for migration in waiting:
                    record.record(connection, migration, duration_ms=0)
                    record.note(connection, Event.BASELINED, migration, person(), reason)
        return [migration.file for migration in waiting]
