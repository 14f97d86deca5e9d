"""What the database and the program's own audit say, for the judge."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from birthday_cli.config import Settings
from birthday_cli.pipeline.looking.audit import audit
from tests.drill.judge import Books, Row

_ROWS = """
SELECT idempotency_key, status, scheduled_send_time, expires_at,
       status = 'SENDING' AND lease_expires_at <= now(),
       concat_ws('; ', error_message, 'since ' || updated_at)
FROM message_logs
"""
_OVERDUE = """
SELECT coalesce(max(extract(epoch FROM now() - lease_expires_at))
                FILTER (WHERE status = 'SENDING'), 0)::float
FROM message_logs
"""


def rows(connection: psycopg.Connection) -> list[Row]:
    """Return every row."""
    return [Row(*row) for row in connection.execute(_ROWS).fetchall()]


def statuses(connection: psycopg.Connection) -> Counter[str]:
    """Return how many rows have each status."""
    found = connection.execute("SELECT status, count(*) FROM message_logs GROUP BY 1").fetchall()
    return Counter(dict(found))


def unplanned(connection: psycopg.Connection) -> bool:
    """Return whether anybody was added or changed whom planning has not looked at yet."""
    row: Any = connection.execute("SELECT EXISTS (SELECT FROM changed_users)").fetchone()
    return bool(row[0])


def overdue(connection: psycopg.Connection) -> float:
    """Return for how many seconds the oldest claim has been past its lease."""
    row: Any = connection.execute(_OVERDUE).fetchone()
    return max(0.0, float(row[0]))


def books(url: str, ahead: timedelta, first: date, last: date) -> Books:
    """Return the audit's totals."""
    report = audit(Settings(database_url=url), datetime.now(UTC) + ahead, first, last)
    totals = [report.total(name) for name in Books._fields[1:]]
    return Books(report.balanced, *totals)
