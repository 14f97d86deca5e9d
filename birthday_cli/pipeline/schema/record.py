"""The record of migrations: how they stand, and what is accepted on the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from birthday_cli.config import Settings
from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.migrations import available
from birthday_cli.db.migrations_check import WRONG, Standing, State, standings
from birthday_cli.db.migrations_record import Event
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.queue import person

_LOCK_WAIT = 60.0
_ACCEPTED = {
    State.EDITED: Event.EDITED,
    State.MISSING: Event.MISSING,
    State.LATE: Event.LATE,
}


@dataclass(frozen=True)
class MigrationState:
    """One migration: its file's name, how it stands, and what changed since it was applied."""

    version: str
    file: str
    state: str
    applied_at: datetime | None
    difference: str


@dataclass(frozen=True)
class SchemaStatus:
    """How every migration stands; up to date if none is pending, edited, missing or late."""

    up_to_date: bool
    migrations: list[MigrationState]


def status(settings: Settings) -> SchemaStatus:
    """Return how every migration stands. Raises BdayschedError for another program's record."""
    with connect(settings, "bdaysched schema status") as connection:
        found = standings(connection)
    waiting = {State.PENDING, *WRONG}
    return SchemaStatus(
        up_to_date=not any(standing.state in waiting for standing in found),
        migrations=[_shown(standing) for standing in found],
    )


def repair(
    settings: Settings, versions: Sequence[str], reason: str, dry_run: bool = False
) -> list[MigrationState]:
    """Accept the edited, missing or late files of these versions, and write down who and why.

    An edited file stands from now on for what was recorded, a missing one is not asked for any
    more, a late one will be applied. Nothing of the schema is changed, and what was recorded before
    is kept. Returns what was accepted. Raises UsageError, before anything is accepted, for a
    version that there is not or of which nothing is wrong; Locked when a `migrate` does not end.
    """
    with (
        connect(settings, "bdaysched schema repair") as connection,
        advisory_lock(connection, Lock.SCHEMA, wait=0 if dry_run else _LOCK_WAIT),
    ):
        found = {standing.version: standing for standing in standings(connection)}
        wrong = [_wrong(found, version) for version in dict.fromkeys(versions)]
        if not dry_run:
            record.prepare(connection, available())
            with connection.transaction():
                for standing in wrong:
                    _accept(connection, standing, reason)
    return [_shown(standing) for standing in wrong]


def _wrong(found: dict[str, Standing], version: str) -> Standing:
    standing = found.get(version)
    if not standing:
        raise UsageError(f"{version}: there is no such migration; the last is {max(found)}")
    if standing.state not in WRONG:
        raise UsageError(f"{standing.file} is {standing.state}: there is nothing to accept")
    return standing


def _accept(connection: Connection, standing: Standing, reason: str) -> None:
    if concerned := standing.applied or standing.migration:
        record.note(connection, _ACCEPTED[standing.state], concerned, person(), reason)
    if standing.state is State.EDITED and standing.migration:
        record.replace(connection, standing.migration)


def _shown(standing: Standing) -> MigrationState:
    return MigrationState(
        standing.version,
        standing.file,
        standing.state,
        standing.applied_at,
        standing.difference,
    )
