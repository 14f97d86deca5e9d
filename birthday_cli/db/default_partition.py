"""Emptying a default partition, which an adopted database may have: its rows get their months.

PostgreSQL attaches no month while the default partition holds rows of it, and rows that were taken
out first would not be seen until then. So they are copied, a few thousand at a time, into months
that wait apart, while a trigger keeps copies and rows the same; and in one short transaction at the
end the months come in and the default partition goes. It stays as a table, which nothing reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import with_brief_locks
from birthday_cli.db.partitions import GUARD, MESSAGES, create_month, existing, parts_of
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError

BATCH = 5_000
_MOVING = "message_logs_moving"
_REST = "message_logs_moving_rest"
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


class _NewMonthMeanwhileError(Exception):
    """Somebody wrote a row of a month that is not prepared."""


def months_of(connection: Connection, table: str) -> list[Month]:
    """Return the months that rows of table belong to, the earliest first.

    Raises BdayschedError if there are rows that belong to none, such as infinity.
    """
    rows: list[Any] = connection.execute(
        compose("default_partition/list_months", table=sql.Identifier(table))
    ).fetchall()
    if rows and rows[0][0] is None:
        raise BdayschedError(
            f"{table} holds messages whose scheduled_send_time is in no month of the calendar:"
            " correct or delete them, then run this again"
        )
    return [Month.of(first_day) for (first_day,) in rows]


def empty(connection: Connection, default: str, wait: float) -> list[Month]:
    """Give the rows of the default partition called default their months; return these.

    Takes twice their space meanwhile. Interrupted, the next call goes on. To be run by the holder
    of Lock.SCHEMA, outside of a transaction. Raises Locked when a lock does not come within `wait`
    seconds, and BdayschedError for rows that belong to no month.
    """
    failure = f"the rows of {default} are not in their months yet"
    names = _columns(connection)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    new = sql.SQL(", ").join(sql.SQL("NEW.{}").format(sql.Identifier(name)) for name in names)
    partition = sql.Identifier(default)
    if not _exists(connection):
        months_of(connection, default)
        begin = compose(
            "default_partition/begin", partition=partition, columns=columns, new_columns=new
        )
        with_brief_locks(connection, partial(_at_once, connection, begin), failure, wait)
    for month in months_of(connection, default):
        _prepare(connection, month, columns, failure, wait)
    _copy(connection, partition, columns, failure, wait)
    while True:
        for month in months_of(connection, _REST):
            _prepare(connection, month, columns, failure, wait)
        prepared = _prepared(connection)
        for month in prepared:
            name = sql.Identifier(month.partition_of(MESSAGES))
            validate = compose("default_partition/validate", partition=name)
            with_brief_locks(connection, partial(connection.execute, validate), failure, wait)
        try:
            hand_over = partial(_hand_over, connection, partition, prepared)
            with_brief_locks(connection, hand_over, failure, wait)
        except _NewMonthMeanwhileError:
            continue
        return prepared


def _prepare(
    connection: Connection, month: Month, columns: sql.Composable, failure: str, wait: float
) -> None:
    if month in _prepared(connection):
        return
    for near in (month.plus(-1), month, month.plus(1)):
        if near not in [guard.month for guard in existing(connection, GUARD)]:
            create_month(connection, GUARD, near, wait)
    parts = parts_of(MESSAGES, month)
    make = compose("default_partition/make_month", **parts)
    take = compose("default_partition/take_month", columns=columns, **parts)
    with_brief_locks(connection, partial(_at_once, connection, make, take), failure, wait)


def _copy(
    connection: Connection,
    partition: sql.Identifier,
    columns: sql.Composable,
    failure: str,
    wait: float,
) -> None:
    copy = compose("default_partition/copy", partition=partition, columns=columns)
    last: Any = (UUID(int=0), _EARLIEST)
    while last:
        place = {"id": last[0], "scheduled_send_time": last[1], "limit": BATCH}

        def copy_batch(place: dict[str, Any] = place) -> Any:
            return connection.execute(copy, place).fetchone()

        last = with_brief_locks(connection, copy_batch, failure, wait)


def _hand_over(connection: Connection, partition: sql.Identifier, prepared: list[Month]) -> None:
    with connection.transaction():
        connection.execute(compose("default_partition/leave", partition=partition))
        # Nobody else writes from here on.
        if months_of(connection, _REST):
            raise _NewMonthMeanwhileError
        for month in prepared:
            connection.execute(compose("default_partition/hand_over", **parts_of(MESSAGES, month)))
        connection.execute(query("default_partition/end"))


def _at_once(connection: Connection, *statements: sql.Composed) -> None:
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)


def _prepared(connection: Connection) -> list[Month]:
    return [partition.month for partition in existing(connection, _MOVING)]


def _exists(connection: Connection) -> bool:
    row: Any = connection.execute("SELECT to_regclass(%s)", (_MOVING,)).fetchone()
    return row[0] is not None


def _columns(connection: Connection) -> list[str]:
    rows: list[Any] = connection.execute(query("default_partition/list_columns")).fetchall()
    return [name for (name,) in rows]
