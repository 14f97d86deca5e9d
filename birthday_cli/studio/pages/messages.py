"""Messages of a day, a page at a time, in the order of sending."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from birthday_cli.domain import rules as ruling
from birthday_cli.domain.states import Status
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.looking import browse
from birthday_cli.pipeline.looking.browse import Wanted
from birthday_cli.studio.desk import Desk, Query
from birthday_cli.studio.pages.day import start_of

PATH = "/messages"
TEMPLATE = "messages.html"
LIVES = False
_ONE_DAY = timedelta(days=1)


def find(desk: Desk, query: Query) -> dict[str, Any]:
    """Return a page of a day's messages that fit what was asked for."""
    now = desk.now()
    start = start_of(query.get("date", ""), now)
    status = query.get("status", "")
    if status and status not in list(Status):
        raise UsageError(f"there is no status {status!r}")
    types = [kind.name for kind in ruling.of(desk.settings).message_types]
    wanted = Wanted(start, start + _ONE_DAY, status or None, query.get("type") or None)
    try:
        after = browse.reference(query["after"]) if query.get("after") else None
    except ValueError as problem:
        raise UsageError("that address names no place in the list") from problem
    found, more = browse.messages(desk.reading, wanted, now, after)
    return {
        "messages": found,
        "next_after": browse.written(found[-1]) if more else "",
        "after": query.get("after", ""),
        "date": start.date(),
        "status_wanted": status,
        "type": query.get("type", ""),
        "statuses": list(Status),
        "types": types,
        "before": (start - _ONE_DAY).date(),
        "following": (start + _ONE_DAY).date(),
    }
