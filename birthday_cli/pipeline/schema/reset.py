"""Start over in a development database: drop everything of ours, and migrate again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, cast

from psycopg import errors, sql

from birthday_cli.config import Settings
from birthday_cli.db import catalog, development, migrations
from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import Connection, connect, connect_to, database
from birthday_cli.db.locks import Lock, advisory_lock, with_short_locks
from birthday_cli.db.migrations import Migration
from birthday_cli.db.migrations_apply import apply
from birthday_cli.db.queries import compose, query
from birthday_cli.db.scratch import scratch
from birthday_cli.domain.schema import Key, Kind, Schema
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.schema import build
from birthday_cli.pipeline.schema.migrate import Migrated, migrate

_LOCK_WAIT = 60.0
_DROPS = {Kind.DOMAIN: "DOMAIN", Kind.FUNCTION: "ROUTINE"}
_WHOLES = (*_DROPS, Kind.TABLE, Kind.VIEW, Kind.OTHER)


class Drop(NamedTuple):
    """What one DROP says."""

    kind: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Ours:
    """What is in the database, by its name: of us, and of others."""

    database: str
    ours: list[str]
    others: list[str]


@dataclass(frozen=True)
class Reset:
    """What was dropped, what was left because it is not ours, and what was made."""

    dropped: list[str]
    left: list[str]
    made: Migrated


def find_mark(settings: Settings) -> tuple[str, bool]:
    """Return the database's name, and whether it is one for development."""
    with connect(settings, "bdaysched reset") as connection:
        return connection.info.dbname, development.is_development(connection)


def mark(settings: Settings, wanted: bool) -> None:
    """Say that everything in the database may be lost, or take that back.

    Raises BdayschedError unless the role owns the database.
    """
    with connect(settings, "bdaysched reset") as connection:
        development.mark(connection, wanted)


def look(settings: Settings) -> Ours:
    """Return what `reset` would drop and leave; raises as it does."""
    with database(settings) as conninfo, connect_to(conninfo, settings) as connection:
        development.require_development(connection)
        return _read(settings, conninfo, connection)[1]


def reset(
    settings: Settings, now: datetime, agree: Callable[[Ours], None] = lambda _: None
) -> Reset:
    """Drop, in one transaction, what migrations or schema.sql made, then do what `migrate` does.

    `agree` is given what was found before anything is dropped, and raises what is to be raised.
    Ours is what these make, as scratch databases show: the files that the database has had, also of
    another branch, the files that the program carries, and schema.sql. Raises UsageError for a
    database that is not marked as one for development, and BdayschedError, before anything is
    dropped, when something of others depends on what is ours.
    """
    with database(settings) as conninfo:
        with connect_to(conninfo, settings, "bdaysched reset") as connection:
            development.require_development(connection)
            known, found = _read(settings, conninfo, connection)
            agree(found)
            with advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT):
                dropped, left = with_short_locks(connection, lambda: _drop(connection, known))
        # With a lock of its own: whoever comes in between starts over, or does this.
        return Reset(dropped, left, migrate(settings, now))


def _read(settings: Settings, conninfo: str, connection: Connection) -> tuple[set[Key], Ours]:
    # Under the lock: PostgreSQL's functions that describe an object fail when it is being dropped.
    with advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT):
        known = _known(settings, conninfo, connection)
        return known, _find(connection, known)


def _known(settings: Settings, conninfo: str, connection: Connection) -> set[Key]:
    """Return what is ours, wherever it came from."""
    carried = {migration.checksum: migration for migration in migrations.available()}
    had = record.applied(connection)
    known = {
        *build.from_migrations(settings, conninfo).items,
        *build.from_file(settings, conninfo).items,
    }
    if any(migration.checksum not in carried for migration in had.values()):
        applied = [
            Migration(each.version, each.name, each.content)
            for each in had.values()
            if each.content
        ]
        known.update(_made_by(settings, conninfo, applied).items)
    return known


def _made_by(settings: Settings, conninfo: str, applied: list[Migration]) -> Schema:
    with scratch(settings, conninfo) as made, connect_to(made, settings) as connection:
        record.prepare(connection)
        for migration in applied:
            apply(connection, migration)
        return catalog.read(connection)


def _find(connection: Connection, known: set[Key]) -> Ours:
    drops, others = _split(connection, known)
    names = [name for drop in drops for name in drop.names]
    return Ours(connection.info.dbname, names, others)


def _drop(connection: Connection, known: set[Key]) -> tuple[list[str], list[str]]:
    drops, others = _split(connection, known)
    waiting = drops
    with connection.transaction():
        # A function may need a table, and be needed by another one's trigger.
        while waiting:
            refused = {drop: problem for drop in waiting if (problem := _try(connection, drop))}
            if len(refused) == len(waiting):
                problem = next(iter(refused.values()))
                detail = " ".join((problem.diag.message_detail or "").split())
                raise BdayschedError(
                    f"something that is not ours needs what would be dropped ({detail}): drop it"
                    " first. Nothing was done"
                ) from problem
            waiting = list(refused)
    return [name for drop in drops for name in drop.names], others


def _try(connection: Connection, drop: Drop) -> errors.DependentObjectsStillExist | None:
    names = sql.SQL(", ").join(_trusted(name) for name in drop.names)
    statement = compose("development/drop_objects", kind=_trusted(drop.kind), names=names)
    try:
        with connection.transaction():
            connection.execute(statement)
    except errors.DependentObjectsStillExist as problem:
        return problem
    return None


def _split(connection: Connection, known: set[Key]) -> tuple[list[Drop], list[str]]:
    """Return what is ours, and the names of the rest."""
    there = catalog.read(connection)
    rows: list[Any] = connection.execute(query("development/list_tables_apart")).fetchall()
    tables = [name for (name,) in rows]
    drops = []
    for key, facts in there.items.items():
        if key not in known:
            continue
        if key.kind is Kind.TABLE:
            tables.append(key.relation)
        elif key.kind is Kind.VIEW:
            drops.append(Drop(str(facts["type"]), (key.relation,)))
        elif key.kind in _DROPS:
            drops.append(Drop(_DROPS[key.kind], (key.relation,)))
    if tables:
        # All at once, since their foreign keys may cross; first, since what refuses them says most.
        drops.insert(0, Drop("TABLE", tuple(tables)))
    wholes = [key for key in there.items if key.kind in _WHOLES]
    return drops, [str(key) for key in wholes if key not in known]


def _trusted(text: str) -> sql.SQL:
    # The catalog's own spelling, quoted where it has to be.
    return sql.SQL(cast("LiteralString", cast("Any", text)))
