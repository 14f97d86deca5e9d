"""The rights of the program's own roles."""

from __future__ import annotations

from contextlib import suppress

from psycopg import errors

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query


def grant(connection: Connection) -> None:
    """Give the roles that the server has what sql/roles.sql says, and nothing else.

    To be run as the owner of the tables, by the holder of Lock.SCHEMA, outside of a transaction. A
    schema that is older than the program leaves everything as it was.
    """
    with suppress(errors.UndefinedTable, errors.UndefinedFunction):
        connection.execute(query("roles"))
