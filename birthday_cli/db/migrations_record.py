"""What a database knows of its migrations: which it has had, what they said, what was decided."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_short_locks
from birthday_cli.db.migrations import Migration
from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError

# The tables of the record, which no migration makes.
TABLES = ("schema_migrations", "schema_events")
_OURS = {"version", "name", "checksum", "applied_at", "duration_ms"}


class Event(StrEnum):
    """What is written down besides which migration was applied."""

    STARTED = "started"
    BASELINED = "baselined"
    EDITED = "edited file accepted"
    MISSING = "missing file accepted"
    LATE = "late file accepted"


class Applied(NamedTuple):
    """A migration that the database has had. Early versions of the program kept no content."""

    version: str
    name: str
    checksum: str
    applied_at: datetime
    content: str | None

    @property
    def file(self) -> str:
        """The name that its file had."""
        return f"{self.version}_{self.name}.sql"


def applied(connection: Connection) -> dict[str, Applied]:
    """Return the migrations that the database has had, by version, in order.

    Raises BdayschedError when its schema_migrations is another program's.
    """
    if not _columns(connection):
        return {}
    rows: list[Any] = connection.execute(query("schema/list_applied_migrations")).fetchall()
    return {row[0]: Applied(*row) for row in rows}


def prepare(connection: Connection, carried: Iterable[Migration] = ()) -> None:
    """Make the tables of the record, or bring those of an early version up to date.

    What those did not keep, the text of each migration, is taken from the carried ones whose
    checksum is the same. Raises as `applied` does.
    """
    columns = _columns(connection)
    if "content" in columns:
        return

    def change() -> None:
        with connection.transaction():
            connection.execute(query("schema/create_record"))
            for migration in carried:
                connection.execute(
                    query("schema/keep_content"),
                    {"content": migration.text, **_identity(migration)},
                )

    with_short_locks(connection, change)


def record(connection: Connection, migration: Migration, duration_ms: int) -> None:
    """Record that migration was applied."""
    connection.execute(
        query("schema/record_migration"),
        {"content": migration.text, "duration_ms": duration_ms, **_identity(migration)},
    )


def note(
    connection: Connection,
    event: Event,
    migration: Migration | Applied,
    done_by: str,
    reason: str | None = None,
) -> None:
    """Write down an event: who and why, and the content that migration has, or had, with it."""
    content = migration.text if isinstance(migration, Migration) else migration.content
    connection.execute(
        query("schema/record_event"),
        {
            "event": event,
            "content": content,
            "done_by": done_by,
            "reason": reason,
            **_identity(migration),
        },
    )


def replace(connection: Connection, migration: Migration) -> None:
    """Let migration stand for what was recorded under its version, which `note` has kept."""
    connection.execute(
        query("schema/replace_migration"), {"content": migration.text, **_identity(migration)}
    )


def started(connection: Connection, version: str) -> str | None:
    """Return the content with which version, which is no transaction, was last begun."""
    row: Any = connection.execute(
        query("schema/find_started"), {"event": Event.STARTED, "version": version}
    ).fetchone()
    return row[0] if row else None


def accepted(connection: Connection) -> set[tuple[Event, str, str]]:
    """Return event, version and checksum of what was accepted."""
    if "content" not in _columns(connection):
        return set()
    rows: list[Any] = connection.execute(query("schema/list_accepted")).fetchall()
    return {(Event(event), version, checksum) for event, version, checksum in rows}


def _columns(connection: Connection) -> set[str]:
    rows: list[Any] = connection.execute(query("schema/list_record_columns")).fetchall()
    columns = {name for (name,) in rows}
    if columns and not columns >= _OURS:
        raise BdayschedError(
            "schema_migrations in this database is another program's (its columns are"
            f" {', '.join(sorted(columns))}): check DATABASE_URL, or give bdaysched a database of"
            " its own"
        )
    return columns


def _identity(migration: Migration | Applied) -> dict[str, str]:
    return {
        "version": migration.version,
        "name": migration.name,
        "checksum": migration.checksum,
    }
