"""The day: is all well, where is it send time when, and what was sent of what was planned."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from birthday_cli.errors import UsageError
from birthday_cli.pipeline.looking import browse, monitor
from birthday_cli.pipeline.looking.day import day as ask_for_day
from birthday_cli.pipeline.looking.status import status
from birthday_cli.studio import charts
from birthday_cli.studio.desk import Desk, Query
from birthday_cli.telling import status as telling

PATH = "/"
TEMPLATE = "day.html"
LIVES = True
_ONE_DAY = timedelta(days=1)


def find(desk: Desk, query: Query) -> dict[str, Any]:
    """Return the verdict, and the pictures of a day."""
    now, reading = desk.now(), desk.reading
    today = browse.day_of(now)
    start = start_of(query.get("date", ""), now)
    # First, since it fails at once where status goes on, and waits for each of its questions.
    day = ask_for_day(reading, start, desk.cache)
    found = status(reading, now, desk.cache)
    is_today = start == today
    until = charts.minute(now, start)
    lateness = monitor.table(reading, "lateness", now, desk.cache) if is_today else None
    return {
        "problems": found.problems,
        "sentences": telling.how_it_is(found.figures, now),
        "day": day,
        "start": start,
        "is_today": is_today,
        "is_over": start + _ONE_DAY <= now,
        "before": (start - _ONE_DAY).date(),
        "after": (start + _ONE_DAY).date(),
        "clock": charts.world_clock(day, now),
        "columns": charts.columns(day),
        "now_x": until,
        "planned_line": charts.line(day.planned, day.planned[-1]),
        "sent_line": charts.line(day.sent, day.planned[-1], until),
        "planned": day.by_status.total(),
        "by_status": day.by_status,
        "lateness": lateness,
    }


def start_of(text: str, now: datetime) -> datetime:
    """Return the midnight in UTC of a date such as `2027-02-28`, or of now; or UsageError."""
    if not text:
        return browse.day_of(now)
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError as problem:
        raise UsageError(f"{text!r} is not a date: write it like 2027-02-28") from problem
