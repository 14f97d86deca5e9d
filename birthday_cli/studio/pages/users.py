"""Users, a page at a time."""

from __future__ import annotations

from typing import Any

from birthday_cli.pipeline.looking import browse
from birthday_cli.pipeline.looking.browse import WantedUsers
from birthday_cli.studio.desk import Desk, Query

PATH = "/users"
TEMPLATE = "users.html"
LIVES = False


def find(desk: Desk, query: Query) -> dict[str, Any]:
    """Return a page of users that fit what was asked for."""
    wanted = {name: query.get(name, "").strip() for name in ("text", "timezone", "month_day")}
    filled = WantedUsers(**{name: value or None for name, value in wanted.items()})
    found, more = browse.users(desk.reading, filled, query.get("after") or None)
    return {"users": found, "more": more, "wanted": wanted, "after": query.get("after", "")}
