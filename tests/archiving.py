"""Months for tests of archives: rows that a careless format would change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from birthday_cli.db.partitions import MESSAGES
from birthday_cli.domain.months import Month
from tests.facts import NOW, add_message, add_user

MONTH = Month.of(NOW)
NAME = MONTH.partition_of(MESSAGES)
TEXTS = [
    "",
    " ",
    "\\N",
    "\\.",
    "NULL",
    "null",
    '"',
    '""',
    "'",
    ",",
    "\t",
    "a\nb",
    "a\r\nb\r",
    "ends in one\n",
    "Zoë, 日本, 🎂\u2028\u0085",
    "\x01\x1f\x7f",
    "\\x00 \\u0000",
    "e\u0301",
    "x" * 300_000,
]


def fill(connection: psycopg.Connection[Any]) -> list[UUID]:
    """Put rows of every kind into this month; return whom they are for."""
    last = MONTH.plus(1).start - timedelta(microseconds=1)
    people = []
    for number, text in enumerate(TEXTS):
        person = add_user(connection)
        people.append(person)
        sent = NOW + timedelta(microseconds=number * 100_001)
        add_message(
            connection,
            last if number == 0 else sent,
            "SENT" if number % 3 else "FAILED",
            user_id=person,
            message_content=text,
            error_message=text or None,
            api_response_body=None if number % 2 else text,
            actual_send_time=sent,
            expires_at="infinity" if number % 2 else "-infinity",
            next_attempt_at=datetime(1, 1, 1, tzinfo=UTC),
            retry_count=number,
            attempts=f'[{{"at": 1.50, "n": {number}}}]',
        )
    return people


def take_away(connection: psycopg.Connection[Any]) -> None:
    """Do what drop-partitions does with a month in the end."""
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {NAME} CONCURRENTLY".encode())
    connection.execute(f"DROP TABLE {NAME}".encode())


def keep_copy(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"CREATE TABLE kept AS TABLE {NAME}".encode())


def differences(connection: psycopg.Connection[Any], table: str = NAME) -> int:
    """Return how many rows differ from those of keep_copy, in either direction, as text."""
    both = [("kept", table), (table, "kept")]
    found = 0
    for one, other in both:
        row: Any = connection.execute(
            f"SELECT count(*) FROM (SELECT {one}::text FROM {one}"
            f" EXCEPT ALL SELECT {other}::text FROM {other}) AS row".encode()
        ).fetchone()
        found += row[0]
    return found
