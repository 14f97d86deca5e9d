"""What the record of migrations says."""

from __future__ import annotations

from dataclasses import dataclass

from birthday_cli.config import Settings
from birthday_cli.db import migrations
from birthday_cli.db.connect import connect


@dataclass(frozen=True)
class MigrationState:
    """One migration, by its file's name, and whether it is `applied` or `pending`."""

    migration: str
    state: str


def status(settings: Settings) -> list[MigrationState]:
    """Return every migration, in order. Raises what `migrations.pending` does."""
    with connect(settings, "bdaysched schema status") as connection:
        pending = {migration.version for migration in migrations.pending(connection)}
        return [
            MigrationState(
                migration.path.name, "pending" if migration.version in pending else "applied"
            )
            for migration in migrations.available()
        ]
