"""A database's schema as its catalog has it, without what is made at run time."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import sql
from psycopg.rows import dict_row

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import compose, query
from birthday_cli.domain.schema import Key, Kind, Schema

# Those that comment on or grant something come after all that they may be about.
_QUERIES = {
    Kind.DOMAIN: "list_domains",
    Kind.TABLE: "list_tables",
    Kind.COLUMN: "list_columns",
    Kind.CONSTRAINT: "list_constraints",
    Kind.INDEX: "list_indexes",
    Kind.FUNCTION: "list_functions",
    Kind.TRIGGER: "list_triggers",
    Kind.VIEW: "list_views",
    Kind.OTHER: "list_others",
    Kind.COMMENT: "list_comments",
    Kind.GRANT: "list_grants",
}
_ABOUT_ANOTHER = {Kind.COMMENT, Kind.GRANT}


def read(connection: Connection) -> Schema:
    """Return the schema `public` of the database, at one instant.

    Months that were made at run time are not in it, nor what an extension brought.
    """
    with connection.transaction():
        _prepare(connection)
        schema = Schema()
        at: dict[tuple[int, int, int], Key] = {}
        for kind, name in _QUERIES.items():
            for row in _rows(connection, name):
                address = row.pop("class"), row.pop("object"), row.pop("part")
                about = at.get(address)
                if kind is Kind.COMMENT:
                    # One that is about something out of sight is out of sight, too.
                    if about is None:
                        continue
                    row["relation"] = about.relation
                key = Key(kind, row.pop("relation"), row.pop("name"))
                schema.items[key] = row
                if kind not in _ABOUT_ANOTHER:
                    at[address] = key
                elif about:
                    schema.needs.setdefault(key, set()).add(about)
        for row in _rows(connection, "list_needs"):
            dependent = at.get((row["class"], row["object"], row["part"]))
            needed = _whole_or_part(at, row)
            if dependent and needed and dependent != needed:
                schema.needs.setdefault(dependent, set()).add(needed)
        return schema


def _whole_or_part(at: dict[tuple[int, int, int], Key], row: dict[str, Any]) -> Key | None:
    of = row["needed_class"], row["needed_object"]
    # The columns of a view are not told of by themselves.
    return at.get((*of, row["needed_part"])) or at.get((*of, 0))


class LeafFault(NamedTuple):
    """What a partition lacks of its table: fault is `missing`, `invalid`, `not enabled` or such."""

    leaf: str
    kind: Kind
    name: str
    fault: str


def faulty_leaves(connection: Connection) -> list[LeafFault]:
    """Return what is wrong with the indexes and triggers of partitions."""
    with connection.transaction():
        _prepare(connection)
        return [
            LeafFault(row["leaf"], kind, row["name"], row["fault"])
            for kind, name in (
                (Kind.INDEX, "list_faulty_leaf_indexes"),
                (Kind.TRIGGER, "list_faulty_leaf_triggers"),
            )
            for row in _rows(connection, name)
        ]


def _prepare(connection: Connection) -> None:
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    # Names are told without a schema where it is in the path.
    connection.execute("SET LOCAL search_path = public")


def _rows(connection: Connection, name: str) -> list[dict[str, Any]]:
    statement = compose(f"catalog/{name}", relations=sql.SQL(query("catalog/relations")))
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement).fetchall()


def count_rows(connection: Connection) -> dict[int, tuple[str, int]]:
    """Return name and number of rows of each table, by the number that it keeps when renamed."""
    with connection.transaction():
        _prepare(connection)
        return {
            row["object"]: (row["relation"], _count(connection, row["relation"]))
            for row in _rows(connection, "list_tables")
        }


def _count(connection: Connection, table: str) -> int:
    trusted: Any = table  # the catalog's own spelling
    row: Any = connection.execute(compose("catalog/count_rows", table=sql.SQL(trusted))).fetchone()
    return int(row[0])
