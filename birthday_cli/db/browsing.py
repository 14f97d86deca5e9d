"""Pages of users and messages, for a person who looks; never all of them, nor their number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError

READER = "bdaysched_reader"
"""The role that may only SELECT: sql/roles.sql."""

_ONE_DAY = timedelta(days=1)
# The transaction is read-only whatever is done in it, and nobody waits for who looks.
_OPTIONS = (
    "-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=2s"
    " -c idle_in_transaction_session_timeout=30s"
)


class User(NamedTuple):
    """One line of a list of users."""

    id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday: str | None
    anniversary: str | None


class WantedUsers(NamedTuple):
    """Which users: with a text in name or e-mail, that e-mail, in a zone, with a date (`MM-DD`)."""

    text: str | None = None
    email: str | None = None
    timezone: str | None = None
    month_day: str | None = None


class Message(NamedTuple):
    """One line of a list of messages, with the user's name; see the columns of message_logs."""

    id: UUID
    user_id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    message_type: str
    delivery_date: date
    scheduled_send_time: datetime
    status: str
    retry_count: int
    actual_send_time: datetime | None
    error_message: str | None
    may_be_retried: bool


class Stuck(NamedTuple):
    """A message that does not move: in what way, and the command that brings it on."""

    what: str
    remedy: str
    id: UUID
    user_id: UUID
    first_name: str
    last_name: str
    email: str
    timezone: str
    message_type: str
    delivery_date: date
    scheduled_send_time: datetime
    status: str
    error_message: str | None


class Wanted(NamedTuple):
    """Which messages: due from `since` and before `until`, and of a status and type if given."""

    since: datetime
    until: datetime
    status: str | None = None
    message_type: str | None = None


def read_only(conninfo: str, as_reader: bool) -> str:
    """Return conninfo for sessions that write nothing; as the role READER too, if that may be."""
    parameters: dict[str, Any] = conninfo_to_dict(conninfo)
    role = f"-c role={READER}" if as_reader else ""
    options = f"{parameters.get('options', '')} {_OPTIONS} {role}"
    return make_conninfo(**{**parameters, "options": options.strip()})


def may_be_reader(connection: Connection) -> bool:
    """Return whether the role READER is there, and connection's user may act as it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(query("studio/become_reader"))
    except (errors.InvalidParameterValue, errors.InsufficientPrivilege):
        return False
    return True


def users(connection: Connection, wanted: WantedUsers, after: str | None, limit: int) -> list[User]:
    """Return up to limit users by e-mail, from after `after` on."""
    with _patience():
        rows: list[Any] = connection.execute(
            query("studio/list_users"), {**wanted._asdict(), "after": after, "limit": limit}
        ).fetchall()
    return [User(*row) for row in rows]


def messages(
    connection: Connection, wanted: Wanted, after: Reference | None, now: datetime, limit: int
) -> list[Message]:
    """Return up to limit messages in the order of sending, from after `after` on."""
    with _patience():
        rows: list[Any] = connection.execute(
            query("studio/list_messages"),
            {
                **wanted._asdict(),
                "after_time": after.scheduled_send_time if after else None,
                "after_id": after.id if after else None,
                "now": now,
                "limit": limit,
            },
        ).fetchall()
    return [Message(*row) for row in rows]


def stuck(
    connection: Connection, now: datetime, recover_queued_after: float, limit: int
) -> list[Stuck]:
    """Return up to limit messages that do not move, those due longest first."""
    with _patience():
        rows: list[Any] = connection.execute(
            query("studio/list_stuck"),
            {"now": now, "recover_queued_after": recover_queued_after, "limit": limit},
        ).fetchall()
    return [Stuck(*row) for row in rows]


def count_by_zone(
    connection: Connection, day_start: datetime
) -> list[tuple[datetime, str, str, int]]:
    """Return instant, zone, status and number of the messages due in the 24 h from day_start."""
    with _patience():
        return _of_day(connection, "studio/count_by_zone", day_start)


def count_sent(
    connection: Connection, day_start: datetime
) -> tuple[bool, list[tuple[datetime, int, float]]]:
    """Return quarter of an hour, number and worst lateness in seconds of what was sent of a day.

    And, before that, whether the figures are estimated from a sample.
    """
    with _patience():
        rows = _of_day(connection, "studio/count_sent", day_start)
    return rows[0][0], [row[1:] for row in rows if row[1] is not None]


def _of_day(connection: Connection, name: str, day_start: datetime) -> list[Any]:
    bounds = {"day_start": day_start, "day_end": day_start + _ONE_DAY}
    return connection.execute(query(name), bounds).fetchall()


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except errors.QueryCanceled as problem:
        raise BdayschedError(
            "the database took longer than 10 s: narrow it down, by a whole e-mail or a date"
        ) from problem
