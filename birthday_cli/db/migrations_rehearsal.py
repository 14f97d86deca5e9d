"""Which locks each statement of a migration takes, found by running it on a scratch copy."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from birthday_cli.config import Settings
from birthday_cli.db import migrations_record as record
from birthday_cli.db.connect import Connection, connect_to
from birthday_cli.db.migrations import Migration
from birthday_cli.db.migrations_apply import execute, start_session, verify
from birthday_cli.db.queries import query
from birthday_cli.domain.statements import Statement

_POLL = 0.01
_MOST_STOPS = 100
# Stronger ones later; https://www.postgresql.org/docs/current/explicit-locking.html, table 13.2.
_BLOCKS = {
    "ACCESS SHARE": "neither reads nor writes",
    "ROW SHARE": "neither reads nor writes",
    "ROW EXCLUSIVE": "neither reads nor writes",
    "SHARE UPDATE EXCLUSIVE": "neither reads nor writes",
    "SHARE": "writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "EXCLUSIVE": "writes",
    "ACCESS EXCLUSIVE": "reads and writes",
}
_STRENGTH = list(_BLOCKS)


class TableLock(NamedTuple):
    """A lock on a relation that was there before the file, and what others can't do meanwhile."""

    relation: str
    mode: str
    blocks: str


@dataclass(frozen=True)
class PlannedStatement:
    """One statement, and the locks that it takes beyond those that its transaction has already.

    waits_for_transactions tells of one that waits for those to end that were open before it.
    """

    sql: str
    line: int
    column: int
    locks: list[TableLock]
    waits_for_transactions: bool = False


@dataclass(frozen=True)
class PlannedFile:
    """One migration, as it was rehearsed; `checks` are the queries of its verify part."""

    file: str
    transactional: bool
    statements: list[PlannedStatement]
    checks: list[str]


class _Seen(NamedTuple):
    locks: set[tuple[str, str]]
    waits: bool
    waits_for_transactions: bool


def rehearse(settings: Settings, conninfo: str, waiting: Iterable[Migration]) -> list[PlannedFile]:
    """Apply migrations to the scratch copy at conninfo; return what each statement locked.

    Raises as `apply` does.
    """
    with (
        connect_to(conninfo, settings, "bdaysched rehearsal") as worker,
        connect_to(conninfo, settings, "bdaysched rehearsal's observer") as observer,
    ):
        planned = []
        for migration in waiting:
            if migration.script.transactional:
                statements = _rehearse_whole(worker, observer, migration)
            else:
                statements = [_rehearse_alone(settings, conninfo, worker, observer, migration)]
            checks = [check.text for check in migration.script.checks]
            planned.append(
                PlannedFile(migration.file, migration.script.transactional, statements, checks)
            )
        return planned


def _rehearse_whole(
    worker: Connection, observer: Connection, migration: Migration
) -> list[PlannedStatement]:
    planned = []
    with worker.transaction():
        start_session(worker)
        held: set[tuple[str, str]] = set()
        for statement in migration.script.statements:
            execute(worker, migration, statement)
            found = _look(observer, worker).locks
            closed = {relation for relation, mode in held if mode == _STRENGTH[-1]}
            taken = {lock for lock in found - held if lock[0] not in closed}
            planned.append(_planned(statement, taken, waits=False))
            held |= found
        start_session(worker)
        verify(worker, migration)
        record.record(worker, migration, 0)
    return planned


def _rehearse_alone(
    settings: Settings,
    conninfo: str,
    worker: Connection,
    observer: Connection,
    migration: Migration,
) -> PlannedStatement:
    """Run the statement, held up wherever it has to wait, so that its locks can be looked at."""
    start_session(worker)
    (statement,) = migration.script.statements
    locks: set[tuple[str, str]] = set()
    waits = False
    with ThreadPoolExecutor(1) as pool, _Obstacle(settings, conninfo) as obstacle:
        done = pool.submit(execute, worker, migration, statement)
        for seen in _stops(done, worker, observer, obstacle):
            locks |= seen.locks
            waits |= seen.waits_for_transactions
        done.result()
    start_session(worker)
    verify(worker, migration)
    record.record(worker, migration, 0)
    return _planned(statement, locks, waits)


def _stops(
    done: Future[None], worker: Connection, observer: Connection, obstacle: _Obstacle
) -> Iterator[_Seen]:
    stops = 0
    while not done.done():
        seen = _look(observer, worker)
        if seen.waits:
            yield seen
            stops += 1
            obstacle.move(onwards=stops < _MOST_STOPS)
        time.sleep(_POLL)


class _Obstacle:
    """A transaction that might have written to any table; the next one begins before it ends."""

    def __init__(self, settings: Settings, conninfo: str) -> None:
        self._settings, self._conninfo = settings, conninfo
        self._now = ExitStack()

    def __enter__(self) -> _Obstacle:
        self.move(onwards=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._now.close()

    def move(self, onwards: bool) -> None:
        """Let what waits go on, up to where it has to wait again."""
        before, self._now = self._now, ExitStack()
        if onwards:
            self._now.enter_context(_holding(self._settings, self._conninfo))
        before.close()


@contextmanager
def _holding(settings: Settings, conninfo: str) -> Iterator[None]:
    with (
        connect_to(conninfo, settings, "bdaysched rehearsal's obstacle") as connection,
        connection.transaction(force_rollback=True),
    ):
        connection.execute(query("schema/hold_all_tables"))
        yield


def _look(observer: Connection, worker: Connection) -> _Seen:
    """Return the locks of worker's, on what observer can see: not on what its transaction made."""
    rows: list[Any] = observer.execute(
        query("schema/list_locks"), {"pid": worker.info.backend_pid}
    ).fetchall()
    return _Seen(
        locks={(relation, _as_in_sql(mode)) for relation, mode, _ in rows if relation},
        waits=any(not granted for _, _, granted in rows),
        waits_for_transactions=any(not granted for relation, _, granted in rows if not relation),
    )


def _as_in_sql(mode: str) -> str:
    """Return `AccessShareLock` as `ACCESS SHARE`."""
    return " ".join(re.findall("[A-Z][a-z]+", mode.removesuffix("Lock"))).upper()


def _planned(statement: Statement, locks: set[tuple[str, str]], waits: bool) -> PlannedStatement:
    strongest = dict(sorted(locks, key=lambda lock: (lock[0], _STRENGTH.index(lock[1]))))
    return PlannedStatement(
        statement.text,
        statement.line,
        statement.column,
        [TableLock(relation, mode, _BLOCKS[mode]) for relation, mode in strongest.items()],
        waits,
    )
