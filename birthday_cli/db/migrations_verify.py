"""Whether what migrations promised still holds: their verify parts, run again."""

from __future__ import annotations

from psycopg import errors

from birthday_cli.db.connect import Connection
from birthday_cli.db.migrations_apply import run_check
from birthday_cli.db.migrations_check import had

_NO_ANSWER = (errors.InsufficientPrivilege, errors.QueryCanceled)


def failed_checks(connection: Connection) -> list[str]:
    """Return why each query fails that verifies an applied migration, with its file and line.

    They are those that were recorded, and are run in transactions that can write nothing. Raises
    BdayschedError when what a migration said was not kept; InsufficientPrivilege or QueryCanceled
    of psycopg when this session may not ask, or not for so long.
    """
    failures = []
    for migration in had(connection):
        for check in migration.script.checks:
            with connection.transaction(force_rollback=True):
                connection.execute("SET TRANSACTION READ ONLY")
                failures.append(run_check(connection, migration, check, raised=_NO_ANSWER))
    return [failure for failure in failures if failure]
