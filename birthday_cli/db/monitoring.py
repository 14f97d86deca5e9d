"""Figures to look at: the tables of sql/monitor, and what one screen of status needs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from birthday_cli.db import queries
from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.errors import UsageError


class Table(NamedTuple):
    """A result with its headings; `title` is the first line of its SQL file."""

    title: str
    columns: list[str]
    rows: list[tuple[Any, ...]]


def names() -> dict[str, str]:
    """Return the tables there are, with their titles."""
    files = sorted((queries.directory() / "monitor").glob("*.sql"))
    return {file.stem: _title(query(f"monitor/{file.stem}")) for file in files}


def table(connection: Connection, name: str) -> Table:
    """Return the table called name; UsageError when there is no such one."""
    if name not in (known := names()):
        raise UsageError(f"there is no table {name!r}: choose from {', '.join(known)}")
    cursor = connection.execute(query(f"monitor/{name}"))
    columns = [column.name for column in cursor.description or ()]
    rows: list[Any] = cursor.fetchall()
    return Table(known[name], columns, rows)


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("--").strip()


def messages_of_day(connection: Connection, start: datetime) -> dict[str, int]:
    """Return how many messages are due within the 24 hours from start, by status."""
    bounds = {"day_start": start, "day_end": start + timedelta(days=1)}
    rows: list[Any] = connection.execute(query("status/count_today"), bounds).fetchall()
    return dict(rows)


def oldest_unsent(connection: Connection, now: datetime) -> datetime | None:
    """Return when the message was due that has waited longest at now; None if none waits."""
    row: Any = connection.execute(query("status/find_oldest_unsent"), {"now": now}).fetchone()
    found: datetime | None = row[0]
    return found


def worker_connections(connection: Connection) -> int:
    """Return how many connections workers hold."""
    row: Any = connection.execute(query("status/count_workers")).fetchone()
    return int(row[0])


class ZoneReport(NamedTuple):
    """What one local date came to in one zone; the last two are by that zone's own clocks."""

    timezone: str
    users: int
    planned: int
    delivered: int
    on_time: int
    send_time: datetime | None
    first_sent: str | None
    last_sent: str | None


def report_day(connection: Connection, day: date, on_time: timedelta) -> list[ZoneReport]:
    """Return what day came to in each zone; on time is less than on_time after the send time."""
    rows: list[Any] = connection.execute(
        query("status/report_day"), {"delivery_date": day, "on_time": on_time}
    ).fetchall()
    return [ZoneReport(*row) for row in rows]
