"""Indexes of partitioned tables, built while others write.

PostgreSQL has no CREATE INDEX CONCURRENTLY for those. A migration makes such an index ON ONLY the
table, which takes no time and leaves it invalid; this builds it in each partition that is there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from psycopg import sql

from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import patient_locks, with_short_locks
from birthday_cli.db.queries import compose, query

# A build waits for the transactions that are under way at least so long.
_PATIENCE = 60.0


def build_missing(connection: Connection, patience: float = 0) -> list[str]:
    """Build what partitions lack of indexes that were made ON ONLY their table; return the names.

    An interrupted run's half-built part is dropped and built again, so that a rerun completes it.
    Waits for locks as a migration does. To be run by the holder of Lock.SCHEMA.
    """
    rows: list[Any] = connection.execute(query("partitions/list_unbuilt_indexes")).fetchall()
    for index, name, is_valid, statement in rows:
        part = sql.Identifier("public", name)
        with patient_locks(connection, max(patience, _PATIENCE)):
            if is_valid is False:
                connection.execute(compose("partitions/drop_half_built_index", part=part))
            if not is_valid:
                connection.execute(statement)
        # The catalog's own spelling of a name.
        attach = compose("partitions/attach_index", index=sql.SQL(index), part=part)
        with_short_locks(connection, partial(connection.execute, attach), patience)
    return [name for _, name, _, _ in rows]
