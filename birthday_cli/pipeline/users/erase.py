"""Remove what is kept about a user, for good."""

from __future__ import annotations

from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import erasing
from birthday_cli.db.connect import connect
from birthday_cli.db.erasing import Erasable
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.errors import BdayschedError, UsageError

_LOCK_WAIT = 10.0
_NAMED = 5


def find(settings: Settings, who: str) -> Erasable:
    """Return the user with that e-mail or id, deleted or not.

    Raises BdayschedError when there is none, UsageError when several have the e-mail.
    """
    with connect(settings, "bdaysched users erase") as connection:
        found = erasing.find(connection, who)
    if not found:
        raise BdayschedError(f"there is no user {who!r}, deleted or not: give an e-mail or an id")
    if len(found) > 1:
        named = ", ".join(map(_named, found[:_NAMED])) + (", …" if len(found) > _NAMED else "")
        raise UsageError(f"{len(found)} users have the e-mail {who!r}: give the id, of {named}")
    return found[0]


def _named(user: Erasable) -> str:
    state = f"deleted {user.deleted_at:%Y-%m-%d %H:%M}Z" if user.deleted_at else "not deleted"
    return f"{user.id} ({state})"


def erase(settings: Settings, user_id: UUID, dry_run: bool = False) -> dict[str, int]:
    """Remove a user from every table, in one transaction; return how many rows went, by table.

    Gone are the user, deleted or not, the messages of every status and month, months that were
    detached included, and their places in the guard. A month that is restored from an archive later
    cannot bring them back: the foreign key of message_logs refuses rows of users who are not there,
    at an INSERT or COPY as at an ATTACH PARTITION. What a worker has in hand goes out, and its
    record finds no row. `dry_run` does all of it and takes it back, so its counts are the same.

    Raises Locked if planning, or a change of the months, is under way for longer than ten seconds,
    and BdayschedError when the user is not there.
    """
    with (
        connect(settings, "bdaysched users erase") as connection,
        advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT),
        advisory_lock(connection, Lock.SCHEDULE, wait=_LOCK_WAIT),
        connection.transaction(force_rollback=dry_run),
    ):
        rows = erasing.erase(connection, user_id)
    if rows is None:
        raise BdayschedError(f"there is no user {user_id} any more: nothing was removed")
    return rows
