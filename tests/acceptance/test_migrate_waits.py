"""What others have locked, and a server that drops us."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.db.connect import connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.errors import DatabaseUnreachable
from birthday_cli.pipeline.schema.migrate import migrate

NOW = datetime.now(UTC)
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'bdaysched migrate'"
    " AND datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _change_of_users(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that needs a lock on users."""
    assert database, "which has been made without it"
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    monkeypatch.setattr(queries, "directory", lambda: copy)
    (copy / "migrations" / "0950_nickname.sql").write_text(
        "ALTER TABLE users ADD COLUMN nickname text;\n"
    )


class Run(threading.Thread):
    """A `migrate` that is under way."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.result: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.result = migrate(self.settings, NOW, wait=60).migrations
        except Exception as problem:
            self.result = problem

    def end(self) -> Any:
        self.join(120)
        return self.result


def test_a_long_transaction_delays_the_migration_and_nobody_behind_it(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("SET lock_timeout = '20s'")
    with psycopg.connect(settings.database_url) as long_one:
        long_one.execute("SELECT FROM users")
        run = Run(settings)
        for _ in range(3):
            found(lambda: connection.execute(WAITING).fetchone())
            # It queues behind the migration, which gives up long before the long transaction ends.
            connection.execute("INSERT INTO changed_users SELECT id, now(), true FROM users")
            found(lambda: connection.execute(WAITING).fetchone() is None)
        assert run.is_alive()
    assert run.end() == ["0950_nickname.sql"]


def test_a_server_that_drops_us_has_released_the_lock_and_a_rerun_goes_on(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with psycopg.connect(settings.database_url) as other:
        other.execute("SELECT FROM users")
        run = Run(settings)
        (pid,) = found(lambda: connection.execute(WAITING).fetchone())
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        assert isinstance(run.end(), DatabaseUnreachable)
    assert migrate(settings, NOW).migrations == ["0950_nickname.sql"]


def test_work_that_was_done_under_the_lock_counts_also_if_the_server_drops_us_then(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connect(settings) as ours, advisory_lock(ours, Lock.SCHEMA):
        pid = ours.info.backend_pid
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    with connect(settings) as others, advisory_lock(others, Lock.SCHEMA, wait=60):
        pass


def found(look: Callable[[], Any]) -> Any:
    """Return what look finds at last."""
    deadline = time.monotonic() + 60
    while not (it := look()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return it
