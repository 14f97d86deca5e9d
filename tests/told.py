"""A user whose messages are explained, and what is told of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from birthday_cli.cli import story
from birthday_cli.pipeline.looking.explain import Explanation
from tests.facts import add_message, add_user

MARCH = datetime.fromisoformat("2027-03-27T11:02Z")
ADDED = datetime.fromisoformat("2026-11-20T08:00Z")


def ada(
    connection: psycopg.Connection,
    timezone: str = "Europe/London",
    birthday: str | None = "02-28",
    anniversary: str | None = None,
    changed: datetime = ADDED,
) -> UUID:
    """Add a user whom planning has looked at since the last change."""
    user = add_user(connection, timezone, birthday, anniversary, email="ada@example.com")
    connection.execute(
        "UPDATE users SET created_at = %s, updated_at = %s WHERE id = %s", (ADDED, changed, user)
    )
    connection.execute("DELETE FROM changed_users")
    return user


def sent_to(
    connection: psycopg.Connection, user: UUID, due: str, status: str = "SENT", **columns: Any
) -> None:
    """Insert a message that was planned two days before it was due."""
    at = datetime.fromisoformat(due)
    add_message(
        connection,
        at,
        status,
        **{
            "user_id": user,
            "message_content": "Happy birthday, Ada Lovelace!",
            "created_at": at - timedelta(days=2),
            "updated_at": at + timedelta(seconds=4),
            **columns,
        },
    )
    connection.execute("DELETE FROM changed_users")


def text(found: Explanation) -> list[str]:
    return list(story.lines(found))


def of_messages(found: Explanation) -> list[str]:
    """Return the last paragraph."""
    lines = text(found)
    return lines[len(lines) - lines[::-1].index("") :]


def sentences(lines: list[str]) -> str:
    """Return lines as if they had not been wrapped."""
    return " ".join(" ".join(lines).split())
