"""What a schema should be: built in a scratch database, and read from its catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from birthday_cli.config import Settings
from birthday_cli.db import catalog, queries, roles
from birthday_cli.db.connect import Connection, connect_to
from birthday_cli.db.scratch import replay, scratch
from birthday_cli.domain import statements
from birthday_cli.domain.schema import Kind, Schema
from birthday_cli.domain.statements import Malformed, Statement
from birthday_cli.errors import BdayschedError


def schema_file() -> Path:
    """Return the path of sql/schema.sql."""
    return queries.directory() / "schema.sql"


def from_migrations(
    settings: Settings, conninfo: str, to: str | None = None, with_roles: bool = False
) -> Schema:
    """Return what the migrations build up to version `to`; with sql/roles.sql if `with_roles`.

    Raises what making a scratch database raises, and BdayschedError for a file that is refused.
    """
    with scratch(settings, conninfo) as made, connect_to(made, settings) as connection:
        replay(connection, to)
        if with_roles:
            _grant(connection)
        return catalog.read(connection)


def from_file(settings: Settings, conninfo: str, with_roles: bool = False) -> Schema:
    """Return what sql/schema.sql builds; with sql/roles.sql if `with_roles`.

    Raises what making a scratch database raises, and BdayschedError, with line and column, for what
    the server refuses.
    """
    path = schema_file()
    try:
        text = path.read_text(encoding="utf-8")
        parts = statements.split(text)
    except (OSError, UnicodeDecodeError) as problem:
        raise BdayschedError(
            f"{path} cannot be read ({problem}): write it with `bdaysched schema dump`"
        ) from problem
    except Malformed as problem:
        raise BdayschedError(
            f"{path.name}:{problem.line}:{problem.column}: {problem.why}"
        ) from problem
    with scratch(settings, conninfo) as made, connect_to(made, settings) as connection:
        for statement in parts:
            _execute(connection, path.name, text, statement)
        if with_roles:
            _grant(connection)
        return catalog.read(connection)


def _execute(connection: Connection, file: str, text: str, statement: Statement) -> None:
    trusted: Any = statement.text
    try:
        connection.execute(trusted)
    except psycopg.DatabaseError as problem:
        if connection.closed:
            raise
        said = problem.diag
        offset = statement.offset + int(said.statement_position or 1) - 1
        line, column = statements.position(text, offset)
        hint = f" ({said.message_hint})" if said.message_hint else ""
        raise BdayschedError(f"{file}:{line}:{column}: {said.message_primary}{hint}") from problem


def _grant(connection: Connection) -> None:
    try:
        roles.grant(connection)
    except psycopg.ProgrammingError as problem:
        raise BdayschedError(
            f"sql/roles.sql does not fit the schema: {problem.diag.message_primary}. Mend it, too"
        ) from problem


def without_grants(schema: Schema) -> Schema:
    """Return schema without what roles may do, where that is not to be compared."""
    items = {key: facts for key, facts in schema.items.items() if key.kind is not Kind.GRANT}
    return Schema(items, schema.needs)
