"""What tests put into a database, and what they read from it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from birthday_cli.config import Settings
from birthday_cli.domain import rules
from birthday_cli.domain.message import Reference

# A morning in the month that the migrated template certainly has.
NOW = datetime.now(UTC).replace(day=15, hour=12, minute=0, second=0, microsecond=0)
RULES = rules.of(Settings())


def add_user(
    connection: psycopg.Connection,
    timezone: str = "UTC",
    birthday: str | None = f"{NOW:%m-%d}",
    anniversary: str | None = None,
    first_name: str = "Ada",
    last_name: str = "Lovelace",
    email: str | None = None,
) -> UUID:
    row: Any = connection.execute(
        "INSERT INTO users (first_name, last_name, email, timezone, birthday_date,"
        " anniversary_date) VALUES (%s, %s, coalesce(%s, gen_random_uuid() || '@example.com'), %s,"
        " %s, %s) RETURNING id",
        (first_name, last_name, email, timezone, birthday, anniversary),
    ).fetchone()
    found: UUID = row[0]
    return found


def add_message(
    connection: psycopg.Connection,
    due: datetime = NOW,
    status: str = "SCHEDULED",
    expires_in: timedelta = timedelta(hours=15),
    **columns: Any,
) -> Reference:
    """Insert a message for a new user; further columns by name."""
    values = {
        "user_id": columns["user_id"] if "user_id" in columns else add_user(connection),
        "message_type": "BIRTHDAY",
        "message_content": "Happy birthday!",
        "delivery_date": due.date(),
        "scheduled_send_time": due,
        "expires_at": due + expires_in,
        "status": status,
        **columns,
    }
    row: Any = connection.execute(
        f"INSERT INTO message_logs ({', '.join(values)})"
        f" VALUES ({', '.join(f'%({name})s' for name in values)})"
        " RETURNING id, scheduled_send_time",
        values,
    ).fetchone()
    return Reference(*row)


def add_heartbeat(connection: psycopg.Connection, kind: str = "worker", **columns: Any) -> None:
    """Insert the row of a process that lives; further columns by name."""
    values = {
        "id": uuid4(),
        "kind": kind,
        "host": "here",
        "pid": 1,
        "version": "0.1.0",
        "stale_at": datetime.now(UTC) + timedelta(minutes=1),
        "state": "delivering",
        **columns,
    }
    connection.execute(
        f"INSERT INTO heartbeats ({', '.join(values)})"
        f" VALUES ({', '.join(f'%({name})s' for name in values)})",
        values,
    )


def column(connection: psycopg.Connection, name: str, reference: Reference) -> Any:
    row: Any = connection.execute(
        f"SELECT {name} FROM message_logs WHERE id = %s", (reference.id,)
    ).fetchone()
    return row[0]


def statuses(connection: psycopg.Connection) -> dict[str, int]:
    rows: Any = connection.execute(
        "SELECT status, count(*) FROM message_logs GROUP BY status"
    ).fetchall()
    return dict(rows)


def planned(connection: psycopg.Connection) -> list[tuple[date, datetime, str]]:
    """Return local date, send time and text of every message, in the order of sending."""
    rows: Any = connection.execute(
        "SELECT delivery_date, scheduled_send_time, message_content FROM message_logs"
        " ORDER BY scheduled_send_time, message_content"
    ).fetchall()
    return [tuple(row) for row in rows]
