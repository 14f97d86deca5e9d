"""Statements that make a month of the rows of an archive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from psycopg import sql

from birthday_cli.db import archiving
from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_brief_locks
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.manifest import Manifest, Row
from birthday_cli.errors import BdayschedError


class Loaded(NamedTuple):
    """How many rows of which status came in, and how many of erased users were left out."""

    rows: dict[str, int]
    left_out: int


def columns_lacking(connection: Connection, manifest: Manifest) -> list[str]:
    """Return the columns of an archive that message_logs does not have, or not as it had them."""
    now = archiving.columns(connection, manifest.table)
    return [f"{column.name} ({column.type})" for column in manifest.columns if column not in now]


def create(connection: Connection, manifest: Manifest, table: str) -> None:
    """Make an empty stand-alone table for an archive's rows."""
    connection.execute(_composed("create_restored", manifest, table))


def load(connection: Connection, manifest: Manifest, table: str, rows: Iterable[Row]) -> None:
    """Insert the rows; raise BdayschedError unless each column is, byte for byte, what it was."""
    archiving.copy_in(connection, table, manifest.columns, rows)
    if not manifest.holds(archiving.tally(connection, table, manifest.columns)):
        raise BdayschedError(
            f"the rows of {manifest.partition} did not come back as they were: this server makes"
            " other text or other generated columns of them. Nothing was changed"
        )


def delete_erased(connection: Connection, manifest: Manifest, table: str) -> int:
    """Take the rows out whose user is not there any more; return how many there were."""
    return connection.execute(_composed("delete_erased", manifest, table)).rowcount


def doubles(connection: Connection, manifest: Manifest, table: str) -> int:
    """Return for how many rows message_logs has another of the same user, type and date."""
    row: Any = connection.execute(_composed("count_doubles", manifest, table)).fetchone()
    return int(row[0])


def take_places(connection: Connection, manifest: Manifest, table: str) -> None:
    """Take the places of the guard that the rows should have, where they are free."""
    connection.execute(_composed("take_places", manifest, table))


def tie_to_users(connection: Connection, manifest: Manifest, table: str, wait: float) -> None:
    """Give table its foreign key, at the end of the transaction that loads it.

    It keeps others from changing users until that is committed. Raises Locked when its lock does
    not come within `wait` seconds.
    """

    def change() -> None:
        with connection.transaction():
            connection.execute(_composed("add_user_key", manifest, table))

    with_brief_locks(connection, change, f"{table} cannot refer to users", wait)


def validate(connection: Connection, table: str) -> bool:
    """Have the foreign key of table checked, which keeps nobody waiting; False without one."""
    keys: list[Any] = connection.execute(
        query("partitions/list_foreign_keys"), {"partition": table}
    ).fetchall()
    for (key,) in keys:
        connection.execute(
            compose(
                "archives/validate_key",
                table=sql.Identifier(table),
                foreign_key=sql.Identifier(key),
            )
        )
    return bool(keys)


def note_origin(connection: Connection, manifest: Manifest, table: str) -> None:
    """Write down which archive table is made of."""
    connection.execute(_composed("note_origin", manifest, table))


def is_of(connection: Connection, manifest: Manifest, table: str) -> bool:
    """Whether table was made of this archive by an earlier run."""
    row: Any = connection.execute(query("archives/find_origin"), {"table": table}).fetchone()
    return bool(row[0] == _origin(manifest))


def _origin(manifest: Manifest) -> str:
    return f"restored from an archive of {manifest.archived_at}, SHA-256 {manifest.sha256}"


def _composed(name: str, manifest: Manifest, table: str) -> sql.Composed:
    return compose(
        f"archives/{name}",
        partition=sql.Identifier(table),
        check=sql.Identifier(f"{table}_month"),
        starts_at=sql.Literal(manifest.starts_at),
        ends_at=sql.Literal(manifest.ends_at),
        origin=sql.Literal(_origin(manifest)),
    )
