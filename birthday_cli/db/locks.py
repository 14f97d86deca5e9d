"""Advisory locks, polled, and table locks, waited for in short attempts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from typing import Any, TypeVar

from psycopg import errors

from birthday_cli.db.connect import Connection
from birthday_cli.db.pooler import require_session
from birthday_cli.db.queries import query
from birthday_cli.errors import Locked

_POLL = 0.2
_LOCK_TIMEOUT_MS = 1_000
# What is done to months is done beside a day's work: nobody is to wait a tenth of a second for it.
_BRIEF_LOCK_TIMEOUT_MS = 50
# Longer than the program's own transactions take.
_LEAST_LOCK_TIMEOUT_MS = 100
_ATTEMPTS = 10

T = TypeVar("T")


class Lock(IntEnum):
    """What only one run at a time may do in one database."""

    SCHEMA = 1
    SCHEDULE = 2


@contextmanager
def advisory_lock(connection: Connection, lock: Lock, wait: float = 0) -> Iterator[None]:
    """Hold lock; the server releases it when the connection ends, however it ends.

    Polls for up to wait seconds, since a session that waits inside pg_advisory_lock() would
    deadlock with CREATE INDEX CONCURRENTLY. Raises Locked when another run keeps it, and UsageError
    where a pooler shares sessions: the lock would stay with one that is not ours.
    """
    require_session(connection)
    give_up = time.monotonic() + wait
    while not _try(connection, lock):
        if time.monotonic() >= give_up:
            raise Locked(f"another run holds the {lock.name.lower()} lock: try again later")
        time.sleep(_POLL)
    try:
        yield
    finally:
        # A server that has dropped us has released it, and what was done is done.
        with suppress(errors.OperationalError):
            connection.execute(query("locks/release_advisory_lock"), {"lock": int(lock)})


def _try(connection: Connection, lock: Lock) -> bool:
    row = connection.execute(query("locks/try_advisory_lock"), {"lock": int(lock)}).fetchone()
    return bool(row and row[0])


def with_short_locks(
    connection: Connection,
    change: Callable[[], T],
    patience: float = 0,
    pause: float = 0.1,
    longest_ms: int = _LOCK_TIMEOUT_MS,
) -> T:
    """Run change, which takes table locks, so that nobody queues behind it for long.

    A lock that does not come within a second, or `longest_ms` milliseconds, is given up and tried
    for again, with back-off from `pause` seconds to fifty times that: while DDL waits for its lock,
    every other statement on the table waits behind it. Raises psycopg's LockNotAvailable, or
    DeadlockDetected, after ten attempts that took `patience` seconds at least. `change` is run
    again whole, so it must be a transaction or a single statement; one of several statements calls
    `limit_waiting` before each.
    """
    give_up = time.monotonic() + patience
    attempts = 0
    try:
        while True:
            connection.execute(f"SET lock_timeout = {longest_ms}")
            try:
                return change()
            except (errors.LockNotAvailable, errors.DeadlockDetected):
                attempts += 1
                if attempts >= _ATTEMPTS and time.monotonic() >= give_up:
                    raise
                time.sleep(random.uniform(0, pause * min(50, 2**attempts)))
    finally:
        if not connection.closed:
            connection.execute("RESET lock_timeout")


def with_brief_locks(
    connection: Connection, change: Callable[[], T], failure: str, wait: float
) -> T:
    """Run change as `with_short_locks` does, in attempts that keep nobody waiting for 100 ms.

    They go on for `wait` seconds at least. Raises Locked then, which begins with the words of
    failure and says who keeps the lock; nobody waits for that one by our doing.
    """
    try:
        return with_short_locks(connection, change, wait, 0.02, _BRIEF_LOCK_TIMEOUT_MS)
    except (errors.LockNotAvailable, errors.DeadlockDetected) as problem:
        raise Locked(
            f"{failure}: {_holder(connection)}. Others were kept waiting for no more than"
            f" {_BRIEF_LOCK_TIMEOUT_MS} ms at a time. Try again later, or longer with --wait"
        ) from problem


def _holder(connection: Connection) -> str:
    row: Any = connection.execute(query("locks/find_holder")).fetchone()
    if not row:
        return "its locks did not come, and who kept them is gone by now"
    pid, application, began_at, tables = row
    name = f" ({application})" if application else ""
    since = f", in a transaction since {began_at:%Y-%m-%d %H:%M:%SZ}" if began_at else ""
    keeps = f"has used {', '.join(tables)}" if tables else "can still see what was before"
    return f"process {pid}{name}{since}, {keeps}"


def limit_waiting(connection: Connection, started: float) -> None:
    """Leave the next statement of a transaction what is left of its second of waiting for locks.

    started is the instant of time.monotonic() at which the transaction began. What it has locked
    already stays locked while it waits for more, so that the second is for all of them together.
    """
    left = _LOCK_TIMEOUT_MS - round((time.monotonic() - started) * 1000)
    connection.execute(f"SET LOCAL lock_timeout = {max(left, _LEAST_LOCK_TIMEOUT_MS)}")


@contextmanager
def patient_locks(connection: Connection, wait: float) -> Iterator[None]:
    """Let a statement that works CONCURRENTLY wait up to wait seconds for each lock.

    It waits for transactions, and keeps nobody from reading or writing meanwhile; to give it up
    would leave half an index.
    """
    connection.execute(f"SET lock_timeout = {round(wait * 1000)}")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("RESET lock_timeout")
