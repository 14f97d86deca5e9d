"""Statements that plan, each for a whole batch of mornings or of users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import errors, sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.calendar import Line
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.states import Status
from birthday_cli.domain.template import Template
from birthday_cli.errors import UsageError


class Morning(NamedTuple):
    """A local date, and an instant at which it is send time on it in some zones."""

    delivery_date: date
    scheduled_send_time: datetime


class Changed(NamedTuple):
    """Users that were added or changed, when, by the clock of planning, and all their zones.

    `known_ids` are those of them who were there before, and so may have messages.
    """

    user_ids: list[UUID]
    changed_ats: list[datetime]
    timezones: list[str]
    known_ids: list[UUID]


class Previewed(NamedTuple):
    """A message that somebody is to get."""

    message_type: str
    delivery_date: date
    scheduled_send_time: datetime
    timezone: str
    email: str
    message: str


def planned_mornings(connection: Connection) -> dict[str, dict[Morning, str]]:
    """Return the mornings that have been planned, with their digests, by type."""
    rows: list[Any] = connection.execute(query("planning/list_planned_mornings")).fetchall()
    found: dict[str, dict[Morning, str]] = {}
    for message_type, day, send_at, digest in rows:
        found.setdefault(message_type, {})[Morning(day, send_at)] = digest
    return found


def plan_mornings(
    connection: Connection,
    message_type: MessageType,
    calendar: Sequence[Line],
    missed: str | None = None,
) -> int:
    """Insert the messages that calendar calls for and that are not there; return their number.

    With `missed`, the reason, they are too late, and FAILED from the start.
    """
    status = Status.FAILED if missed else Status.SCHEDULED
    columns = {**_columns(calendar), "status": str(status), "error_message": missed}
    columns["are_over"] = missed is not None
    columns["month_days_in_use"] = sorted({line.month_day for line in calendar})
    columns["timezones_in_use"] = sorted({line.timezone for line in calendar})
    return _execute(connection, "planning/plan_mornings", message_type, columns)


def record_mornings(
    connection: Connection, message_type: MessageType, digests: dict[Morning, str]
) -> None:
    """Note mornings as planned."""
    columns = {**_instants(digests), "digests": list(digests.values())}
    _execute(connection, "planning/record_mornings", message_type, columns)


def forget_mornings(
    connection: Connection, message_type: MessageType, mornings: Iterable[Morning]
) -> None:
    """Note mornings as not planned."""
    _execute(connection, "planning/forget_mornings", message_type, _instants(list(mornings)))


def forget_old_mornings(connection: Connection, since: datetime) -> None:
    """Drop what is known of mornings before since, but for the last of each type."""
    connection.execute(query("planning/forget_old_mornings"), {"since": since})


def note_concerned_users(
    connection: Connection, message_type: MessageType, day: date, month_days: Sequence[str]
) -> None:
    """Note as changed everyone who has, or should have, a message on day."""
    columns = {"delivery_date": day, "month_days": list(month_days)}
    _execute(connection, "planning/note_concerned_users", message_type, columns)


def take_changed_users(
    connection: Connection,
    message_types: Sequence[MessageType],
    month_days: Sequence[str],
    now: datetime,
    limit: int,
) -> tuple[int, Changed]:
    """Take up to limit notes of added and changed users; return how many, and whom to look at.

    New users who celebrate on none of month_days are left out. How long ago a change was is counted
    back from now, so that a clock that was set by hand makes no difference.
    """
    celebrates = sql.SQL(" OR ").join(
        sql.SQL("users.{} = ANY (%(month_days)s)").format(sql.Identifier(kind.date_column))
        for kind in message_types
    )
    with declared(*message_types):
        row: Any = connection.execute(
            compose("planning/take_changed_users", celebrates=celebrates),
            {"month_days": list(month_days), "limit": limit},
        ).fetchone()
    taken, user_ids, ages, timezones, known_ids = row
    changed_ats = [now - max(age, timedelta()) for age in ages]
    return taken, Changed(user_ids, changed_ats, timezones, known_ids)


def withdraw(
    connection: Connection,
    message_type: MessageType,
    calendar: Sequence[Line],
    user_ids: Sequence[UUID],
    since: datetime,
) -> int:
    """Remove users' messages that calendar does not call for; return their number."""
    columns = {**_columns(calendar), "user_ids": list(user_ids), "since": since}
    return _execute(connection, "planning/withdraw_messages", message_type, columns)


def correct(
    connection: Connection,
    message_type: MessageType,
    calendar: Sequence[Line],
    user_ids: Sequence[UUID],
    since: datetime,
) -> int:
    """Move and reword users' messages as calendar calls for; return how many changed."""
    columns = {**_columns(calendar), "user_ids": list(user_ids), "since": since}
    return _execute(connection, "planning/correct_messages", message_type, columns)


def plan_users(
    connection: Connection,
    message_type: MessageType,
    calendar: Sequence[Line],
    changed: Changed,
    now: datetime,
    missed: str,
) -> tuple[int, int]:
    """Insert users' messages that calendar calls for and that are not there.

    One that is too late already is FAILED from the start, with `missed` for its reason. Returns how
    many there were, and how many of them too late.
    """
    columns = {**changed._asdict(), **_columns(calendar), "now": now, "missed": missed}
    statement = _composed("planning/plan_users", message_type)
    row: Any = connection.execute(statement, columns, prepare=False).fetchone()
    return row[0], row[1]


def preview(
    connection: Connection,
    message_type: MessageType,
    calendar: Sequence[Line],
    user_id: UUID | None,
) -> list[Previewed]:
    """Return the messages that calendar calls for, of one user or of all, in their order."""
    rows: list[Any] = connection.execute(
        _composed("planning/preview", message_type), {**_columns(calendar), "user_id": user_id}
    ).fetchall()
    return [Previewed(message_type.name, *row) for row in rows]


def _execute(
    connection: Connection, name: str, message_type: MessageType, columns: dict[str, Any]
) -> int:
    # Not prepared: how many lines and users come in decides which plan is good.
    with declared(message_type):
        return connection.execute(_composed(name, message_type), columns, prepare=False).rowcount


@contextmanager
def declared(*message_types: MessageType) -> Iterator[None]:
    """Explain what the database says to types that it has not been prepared for: UsageError."""
    try:
        yield
    except errors.UndefinedColumn as problem:
        said = problem.diag.message_primary or ""
        lacking = [kind for kind in message_types if kind.date_column in said]
        if not lacking:
            raise
        raise UsageError(
            f"{lacking[0].name}: users have no column {lacking[0].date_column!r};"
            " docs/message-types.md shows how a type is added"
        ) from problem
    except errors.CheckViolation as problem:
        if problem.diag.constraint_name != "check_message_type":
            raise
        raise UsageError(
            f"{', '.join(kind.name for kind in message_types)} is not in check_message_type of"
            " message_logs; docs/message-types.md shows how a type is added"
        ) from problem


def _composed(name: str, message_type: MessageType) -> sql.Composed:
    return compose(
        name,
        message_type=sql.Literal(message_type.name),
        date_column=sql.Identifier(message_type.date_column),
        message_content=_content(message_type.template),
    )


def _content(template: Template) -> sql.Composable:
    # Composed from its pieces: text in a name that looks like a field stays text.
    parts: list[sql.Composable] = []
    for text, field in template.pieces:
        if text:
            parts.append(sql.Literal(text.replace("%", "%%")))
        if field:
            parts.append(sql.SQL("users.{}").format(sql.Identifier(field)))
    return sql.SQL("concat({})").format(sql.SQL(", ").join(parts or [sql.Literal("")]))


def _columns(calendar: Sequence[Line]) -> dict[str, Any]:
    return {
        "days_in_use": sorted({line.delivery_date for line in calendar}),
        "delivery_dates": [line.delivery_date for line in calendar],
        "month_days": [line.month_day for line in calendar],
        "timezones": [line.timezone for line in calendar],
        "scheduled_send_times": [line.scheduled_send_time for line in calendar],
        "expires_ats": [line.expires_at for line in calendar],
        "matter_untils": [line.matters_until for line in calendar],
    }


def _instants(mornings: Iterable[Morning]) -> dict[str, Any]:
    days, instants = zip(*mornings, strict=True)
    return {"delivery_dates": list(days), "scheduled_send_times": list(instants)}
