"""The moves that a person makes on a page; each is a use case of `queue replay`, by id."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode
from uuid import UUID

from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline import replay
from birthday_cli.studio.desk import Desk

SAID = {
    "retry": "to be tried again, with all its attempts: the next `bdaysched schedule` queues it",
    "release": "to be tried again, with the same key: the next `bdaysched schedule` queues it",
    "sent": "recorded as SENT",
    "left": "left as it was: somebody else was faster, it is too late, or its user was deleted",
}
"""What became of a message, by the word for it in the address."""


class NotAllowed(BdayschedError):
    """Studio was started for reading only."""


def move(desk: Desk, form: bytes) -> str:
    """Make the move that a form asks for; return where to go on, which says what became of it.

    The row is compared before it is set: of two who press at once one is told that it was left.
    """
    if not desk.may_write:
        raise NotAllowed("this is for reading only: start `bdaysched studio --write`")
    fields = parse_qs(form.decode("latin-1"))
    wanted = fields.get("move", [""])[0]
    try:
        ids = [UUID(fields["id"][0])]
    except (KeyError, ValueError) as problem:
        raise UsageError("that names no message") from problem
    if wanted == "retry":
        done = replay.retry_failed(desk.settings, desk.now(), ids)
    elif wanted == "release":
        done = replay.release_held(desk.settings, ids)
    elif wanted == "sent":
        done = replay.record_as_sent(desk.settings, ids)
    else:
        raise UsageError(f"there is no move {wanted!r}")
    return f"/attention?{urlencode({'told': wanted if done else 'left', 'message': ids[0]})}"
