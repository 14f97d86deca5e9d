"""Migrations that a test makes up, in a folder of its own."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.pipeline.schema.migrate import migrate

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Folder:
    """The program's SQL files, with other migrations than its own."""

    def __init__(self, path: Path) -> None:
        self.sql = path
        self.path = path / "migrations"
        shutil.copytree(
            queries.directory(), path, ignore=shutil.ignore_patterns("migrations"), symlinks=True
        )
        self.path.mkdir()

    def write(self, name: str, text: str | bytes) -> Path:
        """Write the migration called name."""
        file = self.path / name
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    def write_index(self, name: str = "0002_index.sql", table: str = "t") -> Path:
        """Write one that is no transaction: an index on the column `a`."""
        return self.write(
            name,
            "-- bdaysched: no-transaction\n"
            f"CREATE INDEX CONCURRENTLY t_a ON {table} (a);\n"
            "-- verify\n"
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass;\n",
        )

    def migrate(self, settings: Settings, wait: float = 0) -> list[str]:
        """Apply them; what only the program's own need, months and zones, is not made."""
        last = max(file.name for file in self.path.iterdir())
        return migrate(settings, NOW, wait, to=last[:4]).migrations


def own_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Return an empty folder of migrations that the program uses instead of its own."""
    folder = Folder(path / "sql")
    monkeypatch.setattr(queries, "directory", lambda: folder.sql)
    return folder
