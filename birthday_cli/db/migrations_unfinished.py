"""What an interrupted statement that is no transaction leaves behind, and how it is put right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.statements import Statement

_NAME = r'(?:[uU]&)?"(?:[^"]|"")+"|[^\s"(),;.]+'
_QUALIFIED = rf"(?:{_NAME})(?: \. (?:{_NAME}))?"
_BUILD = re.compile(
    rf"CREATE (UNIQUE )?INDEX CONCURRENTLY (IF NOT EXISTS )?(?P<index>{_NAME})"
    rf" ON (ONLY )?(?P<table>{_QUALIFIED}) ",
    re.IGNORECASE,
)
_BUILD_UNNAMED = re.compile(r"CREATE (UNIQUE )?INDEX CONCURRENTLY ON ", re.IGNORECASE)
_DROP = re.compile(
    rf"DROP INDEX CONCURRENTLY (IF EXISTS )?(?P<index>{_QUALIFIED})( CASCADE| RESTRICT)? ",
    re.IGNORECASE,
)
_DETACH = re.compile(
    rf"ALTER TABLE (IF EXISTS )?(ONLY )?(?P<table>{_QUALIFIED})"
    rf" DETACH PARTITION (?P<partition>{_QUALIFIED}) CONCURRENTLY ",
    re.IGNORECASE,
)
_REBUILD = re.compile(r"REINDEX .*\bCONCURRENTLY ", re.IGNORECASE)


class Left(StrEnum):
    """What there is of a statement's effect."""

    NOTHING = "nothing"
    HALF = "half"
    ALL = "all"


@dataclass(frozen=True)
class Concurrent:
    """A statement that works CONCURRENTLY, and the names that it has, as they are written."""

    kind: str
    index: str = ""
    table: str = ""
    partition: str = ""


def recognise(statement: Statement) -> Concurrent | None:
    """Return what statement does CONCURRENTLY; None for any other statement.

    Raises ValueError for an index without a name, which could not be found again.
    """
    text = " ".join(statement.tokens) + " "
    if _BUILD_UNNAMED.match(text):
        raise ValueError("give the index a name, by which a later run finds what this one left")
    for kind, pattern in (("build", _BUILD), ("drop", _DROP), ("detach", _DETACH)):
        if found := pattern.match(text):
            names = {
                name: value.replace(" . ", ".")
                for name, value in found.groupdict().items()
                if value
            }
            return Concurrent(kind, **names)
    return Concurrent("rebuild") if _REBUILD.match(text) else None


def left(connection: Connection, work: Concurrent | None) -> Left:
    """Return what there is of the effect of work now; NOTHING where that cannot be told."""
    if work is None or work.kind == "rebuild":
        halves = _half_rebuilt(connection) if work else []
        return Left.HALF if halves else Left.NOTHING
    if work.kind == "build":
        index: Any = _find_index(connection, work)
        return Left.NOTHING if not index else Left.ALL if index[2] else Left.HALF
    if work.kind == "drop":
        found: Any = connection.execute(
            query("schema/find_relation"), {"name": work.index}
        ).fetchone()
        return Left.NOTHING if found[0] else Left.ALL
    pending: Any = connection.execute(
        query("schema/find_detach"), {"table": work.table, "partition": work.partition}
    ).fetchone()
    return Left.ALL if not pending else Left.HALF if pending[0] else Left.NOTHING


def put_right(connection: Connection, work: Concurrent) -> None:
    """Drop the INVALID index that was left, or finish the detaching; where half is left."""
    if work.kind == "build":
        schema, index, _ = _find_index(connection, work)
        _drop(connection, schema, index)
    elif work.kind == "rebuild":
        for schema, index in _half_rebuilt(connection):
            _drop(connection, schema, index)
    elif work.kind == "detach":
        connection.execute(
            compose(
                "schema/finish_detach",
                table=_as_written(work.table),
                partition=_as_written(work.partition),
            )
        )


def _find_index(connection: Connection, work: Concurrent) -> Any:
    return connection.execute(
        query("schema/find_index"), {"index": work.index, "table": work.table}
    ).fetchone()


def _half_rebuilt(connection: Connection) -> list[tuple[str, str]]:
    rows: list[Any] = connection.execute(query("schema/list_half_rebuilt_indexes")).fetchall()
    return rows


def _drop(connection: Connection, schema: str, index: str) -> None:
    connection.execute(compose("schema/drop_invalid_index", index=sql.Identifier(schema, index)))


def _as_written(name: str) -> sql.SQL:
    """Return a name of one of our files."""
    trusted: Any = name
    return sql.SQL(trusted)
