"""One user: the story that `explain` tells."""

from __future__ import annotations

from typing import Any

from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.looking.explain import explain
from birthday_cli.studio.desk import Desk, NotThere, Query
from birthday_cli.telling import message_story, story

PATH = "/users/{id}"
TEMPLATE = "user.html"
LIVES = False
_MESSAGES = 50


def find(desk: Desk, query: Query) -> dict[str, Any]:
    """Return who a user is, what comes next, and what became of each message."""
    now = desk.now()
    try:
        found = explain(desk.reading, now, query["id"], _MESSAGES)
    except BdayschedError as problem:
        if type(problem) is BdayschedError:
            raise NotThere(str(problem)) from problem
        raise
    name, *who = story.who(found)
    return {
        "name": name,
        "who": who,
        "coming": [story.coming(message, found) for message in found.next],
        "messages": [(told.row, message_story.message(told, found)) for told in found.messages],
        "gone": [message_story.gone(gone) for gone in found.gone],
        "older": found.older_messages,
        "is_deleted": found.user.deleted_at is not None,
    }
