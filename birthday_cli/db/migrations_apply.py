"""How one migration is applied, verified and recorded."""

from __future__ import annotations

import time
from typing import Any, LiteralString, cast

import psycopg
from psycopg import errors

from birthday_cli.db import migrations_record as record
from birthday_cli.db import migrations_unfinished as unfinished
from birthday_cli.db.connect import Connection
from birthday_cli.db.locks import limit_waiting, patient_locks, with_short_locks
from birthday_cli.db.migrations import Migration
from birthday_cli.db.migrations_unfinished import Concurrent, Left
from birthday_cli.db.queries import query
from birthday_cli.domain.statements import Statement, position
from birthday_cli.errors import BdayschedError, Locked

# What waits for transactions to end waits at least so long.
_PATIENCE = 60.0


def check(migration: Migration) -> None:
    """Raise BdayschedError, with file, line and column, for a file that can't be applied."""
    _concurrent(migration)


def apply(connection: Connection, migration: Migration, patience: float = 0) -> None:
    """Apply one migration, verify it and record it, in one transaction if it is one.

    Tries for `patience` seconds at least to get the locks that it needs. Raises BdayschedError with
    file, line and column when the server refuses a statement or the verification fails, Locked when
    a lock does not come; psycopg.OperationalError if the connection is lost.
    """
    work = _concurrent(migration)
    try:
        if migration.script.transactional:
            with_short_locks(connection, lambda: _apply_whole(connection, migration), patience)
        else:
            _apply_alone(connection, migration, work, patience)
    except (errors.LockNotAvailable, errors.DeadlockDetected) as problem:
        place = getattr(problem, "__notes__", [migration.file])[0]
        raise Locked(
            f"{place}: others kept it locked{_oldest_transaction(connection)}."
            f" {_left_behind(migration)}: try again, or wait longer with --wait"
        ) from problem


def _oldest_transaction(connection: Connection) -> str:
    row: Any = connection.execute(query("schema/find_oldest_transaction")).fetchone()
    if not row:
        return ""
    pid, application, began_at = row
    name = f" of {application}" if application else ""
    return f"; the oldest transaction is process {pid}{name}, since {began_at:%Y-%m-%d %H:%M:%SZ}"


def _apply_whole(connection: Connection, migration: Migration) -> None:
    started = time.monotonic()
    with connection.transaction():
        start_session(connection)
        for statement in migration.script.statements:
            limit_waiting(connection, started)
            execute(connection, migration, statement)
        start_session(connection)
        verify(connection, migration)
        _record(connection, migration, started)


def _apply_alone(
    connection: Connection, migration: Migration, work: Concurrent | None, patience: float
) -> None:
    started = time.monotonic()
    start_session(connection)
    if not _is_done(connection, migration, work, patience):
        (statement,) = migration.script.statements
        if work:
            with patient_locks(connection, max(patience, _PATIENCE)):
                execute(connection, migration, statement)
        else:
            with_short_locks(
                connection, lambda: execute(connection, migration, statement), patience
            )
        start_session(connection)
    verify(connection, migration)
    _record(connection, migration, started)


def _is_done(
    connection: Connection, migration: Migration, work: Concurrent | None, patience: float
) -> bool:
    """Put right what an interrupted run left; tell whether it had done all but the record.

    That this file was begun is written down, since what is there without that is not its doing.
    """
    begun = record.started(connection, migration.version)
    with patient_locks(connection, max(patience, _PATIENCE)):
        if begun and begun != migration.text:
            _clean_up(connection, Migration(migration.version, migration.name, begun))
        left = unfinished.left(connection, work)
        if work and left is Left.HALF:
            unfinished.put_right(connection, work)
            if work.kind == "detach":
                return True
    if left is Left.ALL:
        return begun == migration.text
    if begun != migration.text:
        record.note(connection, record.Event.STARTED, migration, connection.info.user)
    return False


def _clean_up(connection: Connection, before: Migration) -> None:
    """Put right what was left by another version of a file that was never recorded."""
    work = _concurrent(before)
    if work and work.kind == "build" and unfinished.left(connection, work) is Left.HALF:
        unfinished.put_right(connection, work)


def _concurrent(migration: Migration) -> Concurrent | None:
    if migration.script.transactional:
        return None
    (statement,) = migration.script.statements
    try:
        return unfinished.recognise(statement)
    except ValueError as problem:
        raise BdayschedError(f"{_place(migration, statement.offset)}: {problem}") from problem


def start_session(connection: Connection) -> None:
    """Undo what a file has set, and set what every file relies on."""
    connection.execute(query("schema/fresh_session"))


def execute(connection: Connection, migration: Migration, statement: Statement) -> None:
    """Run one statement of migration. Raises BdayschedError if the server refuses it."""
    try:
        connection.execute(_trusted(statement))
    except (errors.LockNotAvailable, errors.DeadlockDetected) as problem:
        problem.add_note(_place(migration, statement.offset))
        raise
    except psycopg.Error as problem:
        # A connection that is lost is no fault of the statement.
        if connection.closed:
            raise
        raise BdayschedError(
            f"{_explain(migration, statement, problem)}. {_left_behind(migration)}"
        ) from problem


def verify(connection: Connection, migration: Migration) -> None:
    """Run the verify part of migration. Raises BdayschedError, with the place, if it fails."""
    for check in migration.script.checks:
        if failure := run_check(connection, migration, check):
            raise BdayschedError(f"{failure}. {_left_behind(migration)}")


def run_check(
    connection: Connection,
    migration: Migration,
    check: Statement,
    raised: tuple[type[psycopg.Error], ...] = (),
) -> str | None:
    """Return why a query of the verify part fails, with its place; None if it does not.

    What the server says to it is such a reason, too, but for errors that are to be raised.
    """
    try:
        cursor = connection.execute(_trusted(check))
        rows = cursor.fetchmany(2) if cursor.description else []
    except raised:
        raise
    except psycopg.Error as problem:
        if connection.closed:
            raise
        return _explain(migration, check, problem)
    if len(rows) == 1 and rows[0] and rows[0][0] is True:
        return None
    got = "no row" if not rows else "more than one row" if len(rows) > 1 else repr(rows[0][0])
    return (
        f"{_place(migration, check.offset)}: the verification failed: the query returned {got},"
        " not one row whose first column is true"
    )


def add_time_zones(connection: Connection, names: list[str]) -> None:
    """Make names known as time zones of users."""
    connection.execute(query("schema/add_time_zones"), {"names": names})


def _record(connection: Connection, migration: Migration, started: float) -> None:
    record.record(connection, migration, round((time.monotonic() - started) * 1000))


def _left_behind(migration: Migration) -> str:
    if migration.script.transactional:
        return "Nothing of this file was applied"
    return "The file is not recorded: the next run puts right what it left"


def _explain(migration: Migration, statement: Statement, problem: psycopg.Error) -> str:
    """Return file, line and column, and what the server says, in one line."""
    said = problem.diag
    offset = statement.offset
    if said.statement_position:
        offset += int(said.statement_position) - 1
    text = said.message_primary or str(problem)
    if said.message_detail:
        text += f" ({said.message_detail.rstrip('.')})"
    if said.message_hint:
        text += f". Hint: {said.message_hint.rstrip('.')}"
    elif isinstance(problem, errors.ActiveSqlTransaction):
        text += ". Hint: begin the file with the line `-- bdaysched: no-transaction`"
    if said.context:
        text += f". Where: {said.context.partition(chr(10))[0]}"
    return " ".join(f"{_place(migration, offset)}: {text}".split())


def _place(migration: Migration, offset: int) -> str:
    line, column = position(migration.text, offset)
    return f"{migration.file}:{line}:{column}"


def _trusted(statement: Statement) -> LiteralString:
    # The files are ours, hence as good as literals.
    return cast("LiteralString", cast("Any", statement.text))
