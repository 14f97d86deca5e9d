"""Scratch databases: made on a server to try or compare something, and dropped afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from birthday_cli.config import Settings
from birthday_cli.db import migrations_record
from birthday_cli.db.connect import Connection, connect_to
from birthday_cli.db.migrations import available
from birthday_cli.db.migrations_apply import apply
from birthday_cli.db.queries import compose, query
from birthday_cli.errors import BdayschedError

# sql/scratch/list_abandoned_databases.sql knows them by it.
_PREFIX = "bdaysched_scratch_"


@contextmanager
def scratch(settings: Settings, conninfo: str) -> Iterator[str]:
    """Yield the connection string of a new, empty database, which is dropped at the end.

    It is on the server of conninfo, or of SCRATCH_DATABASE_URL where that is set. What a killed run
    left behind there is dropped before. Raises BdayschedError when the role may not create
    databases, and whatever connecting raises.
    """
    server = settings.scratch_database_url or conninfo
    name = _PREFIX + secrets.token_hex(6)
    # The session bears the database's name: that shows other runs that it is in use.
    with connect_to(server, settings, application=name) as connection:
        _drop_abandoned(connection)
        try:
            connection.execute(compose("scratch/create_database", database=sql.Identifier(name)))
        except errors.InsufficientPrivilege as problem:
            role = connection.info.user
            raise BdayschedError(
                f"a scratch database is needed, and the role {role} may not create one: grant it"
                f" (ALTER ROLE {role} CREATEDB), or set SCRATCH_DATABASE_URL to a server on which"
                " it may"
            ) from problem
        try:
            yield make_conninfo(server, dbname=name)
        finally:
            # A connection that was lost took the mark along: the next run drops the database.
            if not connection.closed:
                connection.execute(compose("scratch/drop_database", database=sql.Identifier(name)))


def replay(connection: Connection, to: str | None = None) -> None:
    """Apply the migrations that the program carries, up to version `to`, to an empty database."""
    migrations_record.prepare(connection)
    for migration in available():
        if to is None or migration.version <= to:
            apply(connection, migration)


def _drop_abandoned(connection: Connection) -> None:
    rows: list[Any] = connection.execute(query("scratch/list_abandoned_databases")).fetchall()
    for (name,) in rows:
        # Another run may be dropping it, too.
        with suppress(errors.ObjectInUse, errors.InvalidCatalogName):
            connection.execute(
                compose("scratch/drop_abandoned_database", database=sql.Identifier(name))
            )
