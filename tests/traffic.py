"""Others who read and write meanwhile, in transactions of several statements, and their waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

# Each reads all months there are, or all to come, and little of each: what it waits for are locks.
_READ: tuple[LiteralString, ...] = (
    "SELECT FROM message_logs WHERE scheduled_send_time > now() AND status = 'QUEUED' LIMIT 1",
    "SELECT status FROM message_logs WHERE user_id = (SELECT id FROM users LIMIT 1) LIMIT 10",
    "SELECT FROM message_guard WHERE delivery_date > current_date LIMIT 1",
)
_WRITE: tuple[LiteralString, ...] = (
    "INSERT INTO users (id, first_name, last_name, email, timezone)"
    " VALUES (%(id)s, 'Ada', 'Lovelace', %(id)s::uuid::text || '@example.com', 'UTC')",
    "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
    " scheduled_send_time) VALUES (%(id)s, 'BIRTHDAY', 'Happy birthday!', %(at)s::date, %(at)s)",
    "UPDATE users SET first_name = 'Eve' WHERE id = %(id)s",
    "UPDATE message_logs SET status = 'SENT', actual_send_time = now()"
    " WHERE user_id = %(id)s AND scheduled_send_time = %(at)s",
)


class Traffic:
    """Readers and writers; `longest` is what one statement of each took at most, in seconds."""

    def __init__(self, url: str, at: datetime) -> None:
        self.longest = {"read": 0.0, "write": 0.0}
        self.statements = {"read": 0, "write": 0}
        self.problems: list[Exception] = []
        self._url = url
        self._at = at
        self._stop = threading.Event()

    @contextmanager
    def running(self, of_each: int = 1) -> Iterator[Traffic]:
        """Let them run, each on a connection of its own, until the block ends."""
        threads = [
            threading.Thread(target=self._run, args=(kind, work))
            for kind, work in (("read", self._read), ("write", self._write))
            for _ in range(of_each)
        ]
        for thread in threads:
            thread.start()
        try:
            self.go_on()
            self.forget()
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def go_on(self, statements: int = 20) -> None:
        """Return once each kind has run so many statements more; AssertionError after a minute."""
        wanted = {kind: count + statements for kind, count in self.statements.items()}
        give_up = time.monotonic() + 60
        while any(self.statements[kind] < count for kind, count in wanted.items()):
            assert time.monotonic() < give_up, "others do not get on"
            assert not self.problems, self.problems
            time.sleep(0.005)

    def forget(self) -> None:
        """Count the longest waits anew."""
        self.longest = dict.fromkeys(self.longest, 0.0)

    def _run(self, kind: str, work: Callable[[Any, Callable[..., None]], None]) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:

                def execute(statement: LiteralString, values: Any = None) -> None:
                    began = time.perf_counter()
                    connection.execute(statement, values)
                    took = time.perf_counter() - began
                    self.longest[kind] = max(self.longest[kind], took)
                    self.statements[kind] += 1

                while not self._stop.is_set():
                    with connection.transaction():
                        work(connection, execute)
        except psycopg.Error as problem:
            self.problems.append(problem)

    def _read(self, _: Any, execute: Callable[..., None]) -> None:
        for statement in _READ:
            execute(statement)

    def _write(self, _: Any, execute: Callable[..., None]) -> None:
        values = {"id": uuid4(), "at": self._at + timedelta(hours=1)}
        for statement in _WRITE:
            execute(statement, values)
