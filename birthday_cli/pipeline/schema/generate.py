"""Write the migrations that lead to sql/schema.sql, after they have proved themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from birthday_cli.config import Settings
from birthday_cli.db import catalog, migrations
from birthday_cli.db.connect import Connection, connect_to, database
from birthday_cli.db.migrations import Migration
from birthday_cli.db.scratch import replay, scratch
from birthday_cli.domain.schema import Schema
from birthday_cli.domain.schema_diff import losses, steps
from birthday_cli.domain.schema_files import Draft, drafts
from birthday_cli.domain.schema_rename import rename
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.schema.build import from_file
from birthday_cli.pipeline.schema.dump import dump
from birthday_cli.pipeline.schema.prove import prove

_EMPTY = "-- What this changes, and why.\n\n"


@dataclass(frozen=True)
class Generated:
    """The migrations that were written, or would be: names of files with their texts."""

    files: dict[str, str] = field(default_factory=dict)


def empty(name: str, dry_run: bool = False) -> Generated:
    """Write a migration without a statement, which a person is to fill. Raises UsageError."""
    return _write([Migration(_next_version(), _checked(name), _EMPTY)], dry_run)


def generate(
    settings: Settings,
    now: datetime,
    name: str,
    renames: Sequence[str] = (),
    accept_data_loss: bool = False,
    dry_run: bool = False,
) -> Generated:
    """Write the migrations that lead from what there are to sql/schema.sql, and that file anew.

    Before anything is written they are applied to a scratch database with partitions and data, and
    have to make exactly that schema, with every index valid and no row lost. Each rename is
    `old=new`; none is guessed. Raises BdayschedError for what can't be proved or has no statement,
    UsageError for a name or rename that is wrong or a loss of data that was not accepted.
    """
    _checked(name)
    with database(settings) as conninfo:
        old, renaming = _renamed(settings, conninfo, renames)
        new = from_file(settings, conninfo)
        lost = losses(steps(old, new), old, new)
        if lost and not accept_data_loss:
            raise UsageError(
                f"{'; '.join(map(str, lost))}: give --accept-data-loss if that is meant, or"
                " --rename old=new if it has another name now"
            )
        files = _numbered(name, drafts(old, new, renaming))
        if not files:
            return Generated()
        prove(settings, conninfo, now, files)
    written = _write(files, dry_run)
    if not dry_run:
        # As the migrations build it: a new column is the last one there, wherever it was put here.
        dump(settings)
    return written


def _renamed(settings: Settings, conninfo: str, renames: Iterable[str]) -> tuple[Schema, list[str]]:
    """Return what the migrations and then the renames build, and the renames' statements."""
    with scratch(settings, conninfo) as made, connect_to(made, settings) as connection:
        replay(connection)
        schema, statements = catalog.read(connection), []
        for told in renames:
            statements.append(rename(schema, told))
            _run(connection, statements[-1], told)
            schema = catalog.read(connection)
        return schema, statements


def _run(connection: Connection, statement: Any, told: str) -> None:
    try:
        connection.execute(statement)
    except psycopg.ProgrammingError as problem:
        raise UsageError(f"--rename {told}: {problem.diag.message_primary}") from problem


def _numbered(name: str, wanted: list[Draft]) -> list[Migration]:
    first = int(_next_version())
    return [
        Migration(
            f"{first + number:04}",
            f"{name}_{draft.title}" if draft.title and len(wanted) > 1 else name,
            draft.text,
        )
        for number, draft in enumerate(wanted)
    ]


def _next_version() -> str:
    return f"{int(migrations.available()[-1].version) + 1:04}"


def _checked(name: str) -> str:
    if not re.fullmatch("[a-z0-9_]+", name):
        raise UsageError(f"{name!r} cannot be part of a file's name: write it like add_a_column")
    return name


def _write(files: list[Migration], dry_run: bool) -> Generated:
    for migration in files if not dry_run else ():
        path: Path = migrations.directory() / migration.file
        try:
            path.write_text(migration.text, encoding="utf-8")
        except OSError as problem:
            raise BdayschedError(f"{path} cannot be written: {problem}") from problem
    return Generated({migration.file: migration.text for migration in files})
