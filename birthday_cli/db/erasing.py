"""Statements that remove a user for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import sql

from birthday_cli.db import partitions
from birthday_cli.db.connect import Connection
from birthday_cli.db.partitions import GUARD, MESSAGES
from birthday_cli.db.queries import compose, query


class Erasable(NamedTuple):
    """Who a user is or, once deleted, was; deleted_at is an instant in UTC."""

    id: UUID
    email: str
    first_name: str
    last_name: str
    deleted_at: datetime | None


def find(connection: Connection, who: str) -> list[Erasable]:
    """Return all users with that e-mail or id, deleted or not; who is not deleted comes first."""
    rows: list[Any] = connection.execute(query("users/find_erasable"), {"who": who}).fetchall()
    return [Erasable(*row) for row in rows]


def erase(connection: Connection, user_id: UUID) -> dict[str, int] | None:
    """Remove every row of a user; return how many there were by table, None without the user.

    To be run in one transaction, by the holder of Lock.SCHEMA: months must not be detached
    meanwhile. psycopg's errors are raised as they come.
    """
    given = {"id": user_id}
    if not connection.execute(query("users/lock_user"), given).rowcount:
        return None
    # The guard comes before the messages, whose triggers release a part of it, uncounted.
    rows = {GUARD: connection.execute(query("users/erase_guard"), given).rowcount}
    for table in (MESSAGES, *(month.name for month in partitions.apart(connection))):
        statement = compose("users/erase_messages", messages=sql.Identifier(table))
        rows[table] = connection.execute(statement, given).rowcount
    rows["changed_users"] = connection.execute(query("users/erase_changes"), given).rowcount
    rows["users"] = connection.execute(query("users/erase_user"), given).rowcount
    return rows
