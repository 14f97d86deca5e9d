"""Statements that take the rows of a month out, and bring them in again."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.manifest import Column, Row, Tally


@contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """Let all statements of the block see the same rows, whoever writes meanwhile."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def columns(connection: Connection, table: str) -> list[Column]:
    """Return the columns of table, in its order; none if it is not there."""
    rows: list[Any] = connection.execute(
        query("archives/list_columns"), {"table": table}
    ).fetchall()
    return [Column(*row) for row in rows]


def tally(connection: Connection, table: str, columns: Sequence[Column]) -> Tally:
    """Return what the server reckons of the rows of table, of those columns."""
    texts = [sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in columns]
    rows: list[Any] = connection.execute(
        compose(
            "archives/tally", partition=sql.Identifier(table), columns=sql.SQL(", ").join(texts)
        )
    ).fetchall()
    return Tally(
        {status: count for status, count, _ in rows},
        {status: int(total) for status, _, total in rows},
    )


def copy_out(
    connection: Connection, table: str, columns: Sequence[Column]
) -> Generator[bytes, None, None]:
    """Yield the rows of table as CSV, one at a time, after a header.

    That PostgreSQL sends each in a message of its own is part of its protocol (COPY Operations).
    """
    statement = compose("archives/copy_out", **_parts(table, columns))
    with connection.cursor().copy(statement) as copy:
        for piece in copy:
            yield bytes(piece)


def copy_in(
    connection: Connection, table: str, columns: Sequence[Column], rows: Iterable[Row]
) -> None:
    """Insert rows into table; the generated columns are left to the server."""
    plain = [place for place, column in enumerate(columns) if not column.is_generated]
    statement = compose("archives/copy_in", **_parts(table, [columns[place] for place in plain]))
    with connection.cursor().copy(statement) as copy:
        for row in rows:
            copy.write_row([row[place] for place in plain])


def _parts(table: str, columns: Sequence[Column]) -> dict[str, sql.Composable]:
    names = [sql.Identifier(column.name) for column in columns]
    return {"partition": sql.Identifier(table), "columns": sql.SQL(", ").join(names)}
