"""Statements over users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
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


class Listed(NamedTuple):
    """One line of a list of users."""

    email: str
    name: str
    timezone: str
    birthday: str | None
    anniversary: str | None


class Found(NamedTuple):
    """Who a user is."""

    id: UUID
    email: str
    first_name: str
    last_name: str


def add(connection: Connection, user: User) -> UUID | None:
    """Add user; return the new id, or None if the e-mail is taken."""
    row: Any = connection.execute(query("users/add_user"), user._asdict()).fetchone()
    return row[0] if row else None


def export(connection: Connection) -> Iterator[bytes]:
    """Yield every user who is not deleted as CSV with a header, in pieces."""
    with connection.cursor().copy(query("users/export_users")) as copy:
        for piece in copy:
            yield bytes(piece)


def search(connection: Connection, text: str, limit: int) -> list[Listed]:
    """Return up to limit users whose name or e-mail holds text, whatever the case."""
    rows: list[Any] = connection.execute(
        query("users/list_users"), {"text": text, "limit": limit}
    ).fetchall()
    return [Listed(*row) for row in rows]


def find(connection: Connection, who: str) -> Found | None:
    """Return the user with that e-mail or id, unless deleted."""
    row: Any = connection.execute(query("users/find_user"), {"who": who}).fetchone()
    return Found(*row) if row else None


def delete(connection: Connection, user_id: UUID) -> None:
    """Mark a user as deleted."""
    connection.execute(query("users/delete_user"), {"id": user_id})
