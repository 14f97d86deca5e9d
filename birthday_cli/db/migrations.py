"""Which migrations there are, which were applied, and how one is applied."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg

from birthday_cli.db import queries
from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_short_locks
from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError, NotUpToDate

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True)
class Migration:
    """One file of sql/migrations."""

    version: str
    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        """The file's content; BdayschedError unless it is UTF-8."""
        try:
            return self.path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as problem:
            raise BdayschedError(f"{self.path.name} is not UTF-8: {problem}") from problem

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def available() -> list[Migration]:
    """Return the migrations that the program carries, in order.

    Raises BdayschedError for a file that is not named NNNN_name.sql, or a number used twice.
    """
    found: dict[str, Migration] = {}
    for path in sorted((queries.directory() / "migrations").glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if not match:
            raise BdayschedError(f"{path.name} is not named like 0007_add_a_column.sql")
        if match[1] in found:
            raise BdayschedError(f"{path.name} and {found[match[1]].path.name} share a number")
        found[match[1]] = Migration(match[1], match[2], path)
    return list(found.values())


def applied(connection: Connection) -> dict[str, tuple[str, str]]:
    """Return name and checksum of each migration that the database has had, by version."""
    row = connection.execute(query("schema/has_schema_migrations")).fetchone()
    if not row or not row[0]:
        return {}
    rows: list[Any] = connection.execute(query("schema/list_applied_migrations")).fetchall()
    return {version: (name, checksum) for version, name, checksum, _ in rows}


def pending(connection: Connection) -> list[Migration]:
    """Return the migrations still to be applied, in order.

    Raises NotUpToDate, naming the file, when an applied one was edited or has gone, or when one
    that was never applied comes before one that was.
    """
    done = applied(connection)
    carried = {migration.version: migration for migration in available()}
    for version, (name, checksum) in done.items():
        if version not in carried:
            raise NotUpToDate(
                f"{version}_{name}.sql was applied to this database and is not in this version"
                " of the program: install the version that carries it"
            )
        if carried[version].checksum != checksum:
            raise NotUpToDate(
                f"{carried[version].path.name} was edited after it was applied:"
                " restore the file, and put the change into a new migration"
            )
    waiting = [migration for version, migration in carried.items() if version not in done]
    for migration in waiting:
        if done and migration.version < max(done):
            raise NotUpToDate(
                f"{migration.path.name} is older than {max(done)}, which was applied already:"
                " give it the next free number"
            )
    return waiting


def prepare(connection: Connection) -> None:
    """Make the table in which applied migrations are recorded, unless it is there."""
    connection.execute(query("schema/create_schema_migrations"))


def apply(connection: Connection, migration: Migration) -> None:
    """Apply one migration and record it, in one transaction.

    Raises BdayschedError with file and line when the server refuses a statement.
    """
    # The files are ours, hence as good as literals.
    text = cast("LiteralString", cast("Any", migration.text))

    def change() -> None:
        started = time.monotonic()
        with connection.transaction():
            connection.execute(text)
            connection.execute(
                query("schema/record_migration"),
                {
                    "version": migration.version,
                    "name": migration.name,
                    "checksum": migration.checksum,
                    "duration_ms": round((time.monotonic() - started) * 1000),
                },
            )

    try:
        with_short_locks(connection, change)
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.DatabaseError as problem:
        if isinstance(problem, psycopg.OperationalError):
            raise
        raise BdayschedError(_where(migration, problem)) from problem


def _where(migration: Migration, problem: psycopg.Error) -> str:
    position = problem.diag.statement_position
    line = migration.text.count("\n", 0, int(position) - 1) + 1 if position else None
    place = f"{migration.path.name}:{line}" if line else migration.path.name
    hint = f" ({problem.diag.message_hint})" if problem.diag.message_hint else ""
    return f"{place}: {problem.diag.message_primary}{hint}. Nothing of this file was applied"


def add_time_zones(connection: Connection, names: list[str]) -> None:
    """Make names known as time zones of users."""
    connection.execute(query("schema/add_time_zones"), {"names": names})
