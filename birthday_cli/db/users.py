"""Statements over users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.domain.user import User


def merge(connection: Connection, users: Iterable[User]) -> tuple[int, int]:
    """Add users or bring them up to date, by e-mail, in one transaction.

    Returns how many were added and how many changed.
    """
    with connection.transaction():
        connection.execute(query("users/create_imported_users"))
        with connection.cursor().copy(query("users/copy_imported_users")) as copy:
            for user in users:
                copy.write_row(user)
        row: Any = connection.execute(query("users/merge_imported_users")).fetchone()
    return row[0], row[1]


def add_with_ids(connection: Connection, users: Sequence[tuple[UUID, User]]) -> int:
    """Add users under given ids, unless the id or the e-mail is there; return how many were new."""
    columns = zip(*((key, *user) for key, user in users), strict=True)
    names = ("ids", *User._fields)
    return connection.execute(
        query("users/add_with_ids"), dict(zip(names, map(list, columns), strict=True))
    ).rowcount
