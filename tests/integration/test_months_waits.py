"""What is done to months is done beside a day's work, and keeps nobody waiting for long.

How long others waited is printed and decides nothing: benchmarks/partition_waits.py measures it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from birthday_cli.config import Settings
from birthday_cli.db import partitions
from birthday_cli.db.partitions import MESSAGES, State
from birthday_cli.domain.months import Month
from birthday_cli.errors import ExitCode, Locked
from birthday_cli.pipeline.partitions.months import create
from birthday_cli.pipeline.retain import drop
from tests.facts import NOW, add_message
from tests.traffic import Traffic

THIS = Month.of(NOW)
LATER = THIS.plus(3).start + timedelta(days=14)
# They write to a month that stays.
BUSY = LATER
COMMANDS = ("create", "detach", "drop")
LOCKING = re.compile(r"\b(ALTER|CREATE|DROP|LOCK|ANALYZE|guard_message_table)\b")


@pytest.fixture
def timeouts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The lock_timeout under which each statement ran that takes locks others may wait for."""
    found: dict[str, str] = {}
    execute = psycopg.Connection.execute

    def watched(self: Any, query: Any, *rest: Any, **options: Any) -> Any:
        text = query.as_string(self) if isinstance(query, sql.Composable) else str(query)
        if LOCKING.search(text) and self.info.dsn and "roles" not in text:
            row: Any = execute(self, "SHOW lock_timeout").fetchone()
            found[text] = row[0]
        return execute(self, query, *rest, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", watched)
    return found


def run(settings: Settings, command: str, wait: float = 30) -> None:
    if command == "create":
        create(settings, NOW, 15, wait=wait)
    else:
        grace = timedelta(days=7) if command == "detach" else timedelta()
        drop(settings, LATER, 1, grace, maximum=1, wait=wait)


def test_making_detaching_and_dropping_go_on_beside_readers_and_writers(
    settings: Settings,
    connection: psycopg.Connection,
    timeouts: dict[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    add_message(connection, status="SENT")
    with Traffic(settings.database_url, BUSY).running(2) as traffic:
        for command in COMMANDS:
            traffic.forget()
            run(settings, command)
            traffic.go_on(8)
            waits = ", ".join(
                f"{kind} {1e3 * took:.0f} ms" for kind, took in traffic.longest.items()
            )
            record_property(f"longest wait of others during {command}", waits)
    assert traffic.problems == []
    assert partitions.existing(connection, MESSAGES)[0].month == THIS.plus(1)
    assert [text for text in timeouts if "ATTACH PARTITION" in text]
    assert [text for text in timeouts if "CONCURRENTLY" in text]
    assert [text for text in timeouts if "DROP TABLE" in text]
    assert [text for text in timeouts if "DROP CONSTRAINT" in text]
    # What ANALYZE asks for, others may take beside it.
    limits = {timeout for text, timeout in timeouts.items() if "ANALYZE" not in text}
    assert limits == {"50ms"}, timeouts


@pytest.mark.parametrize(
    ("command", "holding"),
    [
        ("create", "UPDATE users SET first_name = 'Bob'"),
        ("detach", "SELECT count(*) FROM message_logs"),
        ("drop", "SELECT count(*) FROM users"),
    ],
)
def test_with_a_long_transaction_it_gives_up_and_others_go_on_meanwhile(
    settings: Settings,
    connection: psycopg.Connection,
    database: str,
    command: str,
    holding: str,
) -> None:
    if command == "drop":
        run(settings, "detach")
    before = [month.name for month in partitions.existing(connection, MESSAGES)]
    with psycopg.connect(database, application_name="long") as long:
        long.execute(holding.encode())
        with Traffic(database, BUSY).running(1) as traffic:
            done = dict(traffic.statements)
            with pytest.raises(Locked, match=r"process \d+ \(long\), in a transaction") as gave_up:
                run(settings, command, wait=0)
            for kind, count in traffic.statements.items():
                assert count > done[kind] + 3
            traffic.go_on()
        assert traffic.problems == []
    assert gave_up.value.exit_code == ExitCode.LOCKED
    left = partitions.existing(connection, MESSAGES)
    assert [month.name for month in left] == before
    assert (left[0].state is State.PENDING) == (command == "detach")
    run(settings, command)
    if command == "drop":
        name = THIS.partition_of(MESSAGES)
        assert connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() == (None,)
    else:
        assert [month.name for month in partitions.existing(connection, MESSAGES)] != before
