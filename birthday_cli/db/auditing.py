"""Statements that compare users with messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.calendar import Line
from birthday_cli.domain.message_types import MessageType


class Verdict(NamedTuple):
    """How many messages, or users without one, are judged alike; the first of them by name.

    `expected` and `found` are send times, None where there is none.
    """

    name: str
    sent: int
    failed: int
    pending: int
    counted: int
    user_ids: list[UUID] | None
    emails: list[str] | None
    expected: list[datetime | None] | None
    found: list[datetime | None] | None


class Lateness(NamedTuple):
    """Seconds from the send time to the sending: median, 99th percentile, worst."""

    p50: float
    p99: float
    worst: float


def judge_day(
    connection: Connection,
    message_type: MessageType,
    day: date,
    lines: Sequence[tuple[Line, bool]],
    span: tuple[datetime, datetime],
    now: datetime,
    limit: int,
) -> list[Verdict]:
    """Judge one local date: each of lines with whether it must have been planned by now.

    Messages are looked for within span, at most limit named for each verdict.
    """
    statement = compose(
        "audit/audit_day",
        message_type=sql.Literal(message_type.name),
        date_column=sql.Identifier(message_type.date_column),
    )
    rows: list[Any] = connection.execute(
        statement,
        {
            "month_days": [line.month_day for line, _ in lines],
            "timezones": [line.timezone for line, _ in lines],
            "scheduled_send_times": [line.scheduled_send_time for line, _ in lines],
            "day_ends_ats": [line.day_ends_at for line, _ in lines],
            "are_planned": [is_planned for _, is_planned in lines],
            "month_days_in_use": sorted({line.month_day for line, _ in lines}),
            "delivery_date": day,
            "since": span[0],
            "until": span[1],
            "now": now,
            "limit": limit,
        },
        prepare=False,
    ).fetchall()
    return [Verdict(*row) for row in rows]


def lateness(
    connection: Connection, first: date, last: date, span: tuple[datetime, datetime]
) -> dict[date | None, Lateness]:
    """Return how late the messages of each local date were sent; under None, of all together."""
    bounds = {"first": first, "last": last, "since": span[0], "until": span[1]}
    rows: list[Any] = connection.execute(query("audit/measure_lateness"), bounds).fetchall()
    return {day: Lateness(*figures) for day, *figures in rows if figures[0] is not None}
