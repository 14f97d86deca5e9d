"""What needs a person: what does not move, and what failed and may still be tried again."""

from __future__ import annotations

from typing import Any

from birthday_cli.pipeline.looking import browse
from birthday_cli.studio.desk import Desk, Query
from birthday_cli.studio.moves import SAID

PATH = "/attention"
TEMPLATE = "attention.html"
LIVES = True


def find(desk: Desk, query: Query) -> dict[str, Any]:
    """Return what does not move, what failed, and what became of the last move."""
    found = browse.attention(desk.reading, desk.now())
    return {
        "found": found,
        "page_size": browse.PAGE,
        "told": SAID.get(query.get("told", "")),
        "moved": query.get("message", ""),
    }
