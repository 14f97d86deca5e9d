"""Bring a development database straight to sql/schema.sql."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from birthday_cli.config import Settings
from birthday_cli.db import catalog
from birthday_cli.db.connect import Connection, connect_to, database
from birthday_cli.db.development import require_development
from birthday_cli.db.locks import Lock, advisory_lock, with_short_locks
from birthday_cli.domain.schema import Kind, Schema
from birthday_cli.domain.schema_diff import Action, Loss, Step, losses, steps
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.schema.build import from_file, without_grants

_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Pushed:
    """The statements that were run, or would be, and the data that they lose."""

    statements: list[str]
    losses: list[str]


def push(settings: Settings, accept_data_loss: bool = False, dry_run: bool = False) -> Pushed:
    """Make the schema of a development database that of sql/schema.sql, in one transaction.

    Partitions are never dropped, nor is what roles may do changed. Raises UsageError for a database
    that is not for development, and for a loss of data that was not accepted; BdayschedError for
    what has no statement, would drop a partitioned table, or is refused by the server; Locked.
    """
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched push") as connection,
    ):
        require_development(connection)
        with advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT):
            old = without_grants(catalog.read(connection))
            new = without_grants(from_file(settings, conninfo))
            found = steps(old, new)
            _keep_partitions(found, old)
            lost = [_told(connection, loss) for loss in losses(found, old, new)]
            statements = [statement for step in found for statement in step.statements]
            if not dry_run:
                if lost and not accept_data_loss:
                    raise UsageError(
                        f"{'; '.join(lost)}: give --accept-data-loss if that may be lost"
                    )
                with_short_locks(connection, lambda: _run(connection, statements))
    return Pushed(statements, lost)


def _keep_partitions(found: Iterable[Step], old: Schema) -> None:
    for step in found:
        is_table = step.key.kind is Kind.TABLE
        if is_table and step.action is Action.DROP and old.is_partitioned(step.key.relation):
            raise BdayschedError(
                f"{step.key} has partitions, which push does not drop: put it back into"
                " sql/schema.sql, or drop it by hand"
            )


def _told(connection: Connection, loss: Loss) -> str:
    """Return a loss with how many rows have something to lose."""
    table, column = loss.key.relation, loss.key.name or "*"
    trusted: Any = f"SELECT count({column}) FROM {table}"  # noqa: S608 - the catalog's own spelling
    row: Any = connection.execute(sql.SQL(trusted)).fetchone()
    return f"{loss}, in {row[0]} rows"


def _run(connection: Connection, statements: Iterable[Any]) -> None:
    with connection.transaction():
        for statement in statements:
            try:
                connection.execute(statement)
            except psycopg.errors.LockNotAvailable:
                raise
            except psycopg.DatabaseError as problem:
                if connection.closed:
                    raise
                first = str(statement).partition("\n")[0]
                raise BdayschedError(
                    f"{first}: {problem.diag.message_primary}. Nothing was changed"
                ) from problem
