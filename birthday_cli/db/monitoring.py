"""Figures to look at: the tables of sql/monitor, and what one screen of status needs."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.errors import UsageError

_NEEDS = re.compile(r"^-- needs extension (\w+)$", re.MULTILINE)


class Table(NamedTuple):
    """A result with its headings; `title` is the first line of its SQL file.

    `note` says why there are no rows, where that is for a lack of something.
    """

    title: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    note: str | None = None


def names() -> dict[str, str]:
    """Return the tables there are, with their titles."""
    files = sorted((queries.directory() / "monitor").glob("*.sql"))
    return {file.stem: _title(query(f"monitor/{file.stem}")) for file in files}


def table(connection: Connection, name: str, settings: Settings, now: datetime) -> Table:
    """Return the table called name; UsageError when there is no such one.

    Its file may use the parameters `now`, the program's instant, and `pool_max` and
    `recover_queued_after` (in seconds), which are settings; percent signs are written twice. A line
    `-- needs extension NAME` keeps it from being asked where that is not installed.
    """
    if name not in (known := names()):
        raise UsageError(f"there is no table {name!r}: choose from {', '.join(known)}")
    text = query(f"monitor/{name}")
    needed = _NEEDS.search(text)
    if needed and not _has_extension(connection, needed[1]):
        note = f"{needed[1]} is not installed: run CREATE EXTENSION {needed[1]} in this database"
        return Table(known[name], [], [], note)
    parameters = {
        "now": now,
        "pool_max": settings.database_pool_max,
        "recover_queued_after": settings.recover_queued_after,
    }
    try:
        cursor = connection.execute(text, parameters)
    except errors.ObjectNotInPrerequisiteState as problem:
        # What an extension says whose library the server has not loaded.
        note = f"{problem.diag.message_primary}: add it, and start the server again"
        return Table(known[name], [], [], note)
    columns = [column.name for column in cursor.description or ()]
    rows: list[Any] = cursor.fetchall()
    return Table(known[name], columns, rows)


def _has_extension(connection: Connection, extension: str) -> bool:
    row: Any = connection.execute(
        query("status/find_extension"), {"extension": extension}
    ).fetchone()
    return bool(row[0])


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("--").strip()


def packed(table: Table) -> dict[str, Any]:
    """Return table as what JSON holds; see `unpacked`."""
    rows = [[_packed(value) for value in row] for row in table.rows]
    return {**table._asdict(), "rows": rows}


def unpacked(found: dict[str, Any]) -> Table:
    """Return the table that was `packed`."""
    return Table(**{**found, "rows": [tuple(map(_unpacked, row)) for row in found["rows"]]})


def _packed(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"instant": value.isoformat()}
    return {"date": value.isoformat()} if isinstance(value, date) else value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "instant" in value:
        return datetime.fromisoformat(value["instant"])
    return date.fromisoformat(value["date"])


class Lateness(NamedTuple):
    """How late a day's messages were sent, in seconds; None when none was.

    `estimated` when it was read from a sample of a large month.
    """

    p50: float | None
    p99: float | None
    worst: float | None
    estimated: bool


def lateness_of_day(connection: Connection, start: datetime) -> Lateness:
    """Return how late the messages were sent that were due within the 24 hours from start."""
    bounds = {"day_start": start, "day_end": start + timedelta(days=1)}
    row: Any = connection.execute(query("status/measure_today"), bounds).fetchone()
    return Lateness(*row)


def oldest_unsent(connection: Connection, now: datetime) -> datetime | None:
    """Return when the message was due that has waited longest at now; None if none waits.

    What is held for a person, or to be tried again later, does not count.
    """
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
