"""Statements by which the program explains itself: one user, and how many there are of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import IsolationLevel, sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.planning import declared
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.explanation import Attempt, Person, Row
from birthday_cli.domain.message_types import MessageType


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let all that is read within be of one moment."""
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        yield


def find_person(
    connection: Connection, who: str, message_types: Sequence[MessageType]
) -> Person | None:
    """Return the user with that id or e-mail; of those who were deleted the last that had it."""
    try:
        return _person(connection, message_types, UUID(who), None)
    except ValueError:
        found = _person(connection, message_types, None, who)
    if found:
        return found
    row: Any = connection.execute(query("explain/find_deleted"), {"email": who}).fetchone()
    return _person(connection, message_types, row[0], None) if row else None


def _person(
    connection: Connection,
    message_types: Sequence[MessageType],
    user_id: UUID | None,
    email: str | None,
) -> Person | None:
    columns = sql.SQL(", ").join(sql.Identifier(kind.date_column) for kind in message_types)
    with declared(*message_types):
        row: Any = connection.execute(
            compose("explain/find_person", date_columns=columns), {"id": user_id, "email": email}
        ).fetchone()
    if not row:
        return None
    names = [kind.name for kind in message_types]
    return Person._make([*row[:-1], dict(zip(names, row[-1], strict=True))])


def messages_of(connection: Connection, user_id: UUID) -> list[Row]:
    """Return a user's messages, the latest first."""
    rows: list[Any] = connection.execute(
        query("explain/list_messages"), {"user_id": user_id}
    ).fetchall()
    return [
        Row._make([*columns, [_attempt(each) for each in attempts]]) for *columns, attempts in rows
    ]


def _attempt(found: dict[str, Any]) -> Attempt:
    ended_at = datetime.fromisoformat(found["ended_at"])
    return Attempt(ended_at, found["outcome"], found["code"], found["error"], found.get("by"))


def guarded(connection: Connection, user_id: UUID, dates: Sequence[date]) -> set[tuple[str, date]]:
    """Return types and local dates, of dates, for which a user has or had a message."""
    rows: list[Any] = connection.execute(
        query("explain/list_guarded"), {"user_id": user_id, "dates": list(dates)}
    ).fetchall()
    return {(message_type, day) for message_type, day in rows}


def morning_planned_at(
    connection: Connection, message_type: str, day: date, send_at: datetime
) -> datetime | None:
    """Return when everyone was planned who gets a message at send_at for day; None if not yet."""
    row: Any = connection.execute(
        query("explain/find_morning"),
        {"message_type": message_type, "delivery_date": day, "scheduled_send_time": send_at},
    ).fetchone()
    return row[0] if row else None


def count_by_day_and_zone(
    connection: Connection, message_type: MessageType
) -> dict[tuple[str, str], int]:
    """Return how many users have each month and day, by time zone, that a type goes by."""
    statement = compose(
        "explain/count_by_day_and_zone", date_column=sql.Identifier(message_type.date_column)
    )
    with declared(message_type):
        rows: list[Any] = connection.execute(statement).fetchall()
    return {(month_day, zone): count for month_day, zone, count in rows}
