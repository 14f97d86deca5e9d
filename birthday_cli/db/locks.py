"""Advisory locks, polled, and table locks, waited for in short attempts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import TypeVar

from psycopg import errors

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.errors import Locked

_POLL = 0.2
_LOCK_TIMEOUT_MS = 1_000
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
    deadlock with CREATE INDEX CONCURRENTLY. Raises Locked when another run keeps it.
    """
    give_up = time.monotonic() + wait
    while not _try(connection, lock):
        if time.monotonic() >= give_up:
            raise Locked(f"another run holds the {lock.name.lower()} lock: try again later")
        time.sleep(_POLL)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(query("locks/release_advisory_lock"), {"lock": int(lock)})


def _try(connection: Connection, lock: Lock) -> bool:
    row = connection.execute(query("locks/try_advisory_lock"), {"lock": int(lock)}).fetchone()
    return bool(row and row[0])


def with_short_locks(connection: Connection, change: Callable[[], T]) -> T:
    """Run change, which takes table locks, so that nobody queues behind it for long.

    A lock that does not come within a second is given up and tried for again, with back-off:
    while DDL waits for its lock, every other statement on the table waits behind it. Raises
    psycopg's LockNotAvailable after ten attempts. `change` is run again whole, so it must be a
    transaction or a single statement.
    """
    connection.execute(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
    try:
        for attempt in range(1, _ATTEMPTS):
            try:
                return change()
            except errors.LockNotAvailable:
                time.sleep(random.uniform(0, min(5.0, 0.1 * 2**attempt)))
        return change()
    finally:
        if not connection.closed:
            connection.execute("RESET lock_timeout")
