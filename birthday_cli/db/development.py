"""Which databases are for development: those that their owner has marked, and private servers.

The mark is a line in the database's comment: only its owner writes it, where a setting of our own
would take a superuser; no session or URL can pretend it; and neither a dump that is loaded into
another database nor CREATE DATABASE … TEMPLATE carries it along.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.errors import UsageError

MARK = "bdaysched: development"


def is_development(connection: Connection) -> bool:
    """Return whether everything in the database may be lost."""
    is_private, comment = _find(connection)
    return is_private or MARK in comment.splitlines()


def require_development(connection: Connection) -> None:
    """Raise UsageError unless the database is one for development."""
    if not is_development(connection):
        raise UsageError(
            f"{connection.info.dbname} is not marked as a development database, so nothing was"
            " done: check DATABASE_URL, or run `bdaysched reset --mark` if all of it may be lost"
        )


def mark(connection: Connection, wanted: bool = True) -> bool:
    """Mark the database as one for development, or no more as one; return whether that was new.

    Whatever else its comment says stays. psycopg's InsufficientPrivilege unless the role owns it.
    """
    _, comment = _find(connection)
    lines = comment.splitlines()
    if (MARK in lines) == wanted:
        return False
    kept = [line for line in lines if line != MARK] + [MARK] * wanted
    connection.execute(
        compose(
            "development/set_comment",
            database=sql.Identifier(connection.info.dbname),
            comment=sql.Literal("\n".join(kept) or None),
        )
    )
    return True


def _find(connection: Connection) -> tuple[bool, str]:
    row: Any = connection.execute(query("development/find_mark")).fetchone()
    return bool(row[0]), str(row[1])
