"""Each table of sql/monitor, with facts that make it show something."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from birthday_cli.cli.main import app
from birthday_cli.config import Settings
from birthday_cli.db import monitoring
from birthday_cli.db.queries import query
from birthday_cli.errors import Locked, UsageError
from birthday_cli.pipeline.looking import monitor
from tests.facts import NOW, add_heartbeat, add_message
from tests.servers import postgres, process
from tests.servers.postgres import PostgresServer

NAMES = sorted(monitor.tables())


def rows(settings: Settings, name: str, now: datetime = NOW) -> list[dict[str, Any]]:
    table = monitor.table(settings, name, now)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def by(settings: Settings, name: str, column: str) -> dict[Any, dict[str, Any]]:
    return {row[column]: row for row in rows(settings, name)}


def test_there_are_the_tables_that_were_asked_for() -> None:
    assert {
        *("partitions", "indexes", "connections", "messages", "lateness", "stuck", "locks"),
        *("bloat", "statements", "queue", "workers"),
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_a_title_and_headings_that_differ(settings: Settings, name: str) -> None:
    table = monitor.table(settings, name, NOW)
    assert table.title == monitor.tables()[name]
    assert 20 < len(table.title) < 120
    assert len(table.columns) == len(set(table.columns))
    assert table.columns or table.note
    assert monitoring.unpacked(monitoring.packed(table)) == table


def test_a_new_file_is_a_new_table(settings: Settings, sql: Path) -> None:
    (sql / "monitor" / "weather.sql").write_text(
        "-- How the weather is\nSELECT 'fine' AS sky, %(now)s::timestamptz AS seen_at"
    )
    assert monitor.tables()["weather"] == "How the weather is"
    assert rows(settings, "weather") == [{"sky": "fine", "seen_at": NOW}]


def test_a_table_that_is_not_there_names_those_that_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match="connections, indexes, lateness"):
        monitor.table(settings, "rain", NOW)


def test_partitions_are_those_of_message_logs_with_rows_and_size(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("CREATE TABLE message_logs_backup (LIKE message_logs)")
    add_message(connection)
    connection.execute("ANALYZE")
    found = by(settings, "partitions", "partition")
    assert len(found) == 13
    this_month = found.pop(f"message_logs_{NOW:%Y_%m}")
    assert this_month["rows"] == 1
    assert this_month["total_bytes"] > max(row["total_bytes"] for row in found.values()) > 0


def test_an_index_of_sixty_months_is_one_line(settings: Settings) -> None:
    before = by(settings, "indexes", "index")
    done = CliRunner().invoke(
        app, ["create-partitions", "60"], env={"DATABASE_URL": settings.database_url}
    )
    assert done.exit_code == 0
    after = by(settings, "indexes", "index")
    assert after.keys() == before.keys()
    name = "idx_message_logs_status"
    assert after[name]["size_bytes"] > 4 * before[name]["size_bytes"]


def test_indexes_that_are_unused_duplicate_or_invalid_are_marked(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("CREATE INDEX again ON users (email) WHERE deleted_at IS NULL")
    connection.execute("CREATE INDEX other ON users (email DESC) WHERE deleted_at IS NULL")
    connection.execute(
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'idx_users_birthday_date'::regclass"
    )
    found = by(settings, "indexes", "index")
    notes = {name: row["note"].partition(" since")[0] for name, row in found.items()}
    assert notes["again"] == "duplicate of idx_users_email_unique; unused"
    assert notes["other"] == "unused"
    assert notes["idx_users_birthday_date"] == "INVALID; unused"
    assert "duplicate" not in notes["idx_users_email_unique"]


def test_an_index_that_is_used_is_not_called_unused(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("CREATE INDEX mine ON users (first_name)")
    connection.execute("SET enable_seqscan = off")
    connection.execute("SELECT FROM users WHERE first_name = 'Ada'")
    connection.execute("SELECT pg_stat_force_next_flush()")
    mine = by(settings, "indexes", "index")["mine"]
    assert (mine["scans"], mine["note"]) == (1, "")


def test_connections_add_up_and_are_enough(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("SET application_name = 'somebody'")
    found = by(settings, "connections", "application")
    assert found["somebody"]["total"] == found["somebody"]["idle"] == 1
    total = sum(row["total"] for name, row in found.items() if name != "all")
    assert found["all"]["total"] == total >= 2
    assert found["all"]["advice"] == "enough: 1 processes x 20 + 10 = 30, of 200"


def test_connections_are_too_few_for_the_processes_that_live(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for _ in range(10):
        add_heartbeat(connection)
    add_heartbeat(connection, stale_at=datetime.now(UTC) - timedelta(minutes=1))
    advice = by(settings, "connections", "application")["all"]["advice"]
    assert advice.startswith("10 processes x 20 + 10 = 210 is more than 200")
    assert advice.endswith("DATABASE_POOL_MAX to 19")
    fewer = replace(settings, database_pool_max=19)
    assert by(fewer, "connections", "application")["all"]["advice"].startswith("enough: 10")


def test_messages_are_counted_by_day_and_status(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for status in ("SENT", "SENT", "FAILED", "QUEUED", "SENDING", "RETRYING"):
        add_message(connection, NOW, status)
    add_message(connection, NOW + timedelta(days=1))
    add_message(connection, NOW - timedelta(days=7), "SENT")
    found = by(settings, "messages", "day")
    assert len(found) == 8
    today = found[NOW.date()]
    assert [today[name] for name in ("scheduled", "sent", "failed", "queued")] == [0, 2, 1, 1]
    assert (today["sending"], today["retrying"], today["how"]) == (1, 1, "counted")
    assert found[(NOW + timedelta(days=1)).date()]["scheduled"] == 1
    assert sum(row["sent"] for row in found.values()) == 2


def test_of_a_large_month_a_sample_is_read_and_it_is_said(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for _ in range(5):
        add_message(connection, NOW, "FAILED")
    month = f"message_logs_{NOW:%Y_%m}"
    # Neither the guard nor its months matter here.
    connection.execute("SET session_replication_role = replica")
    connection.execute(
        f"INSERT INTO {month} (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time, actual_send_time, status) SELECT id, 'BIRTHDAY', repeat('x', 500),"
        " %s::date - n, %s, %s::timestamptz + interval '2 seconds', 'SENT' FROM users,"
        " generate_series(1, 1200) AS n",
        (NOW.date(), NOW - timedelta(minutes=5), NOW - timedelta(minutes=5)),
    )
    connection.execute("ANALYZE message_logs")
    connection.execute("UPDATE pg_class SET reltuples = 3000000 WHERE relname = %s", (month,))
    today = by(settings, "messages", "day")[NOW.date()]
    assert (today["failed"], today["how"]) == (5, "estimated")
    # A tenth of the pages is read.
    assert today["sent"] % 10 == 0
    assert 2_000 < today["sent"] < 12_000
    lateness = by(settings, "lateness", "late_by")["1 to 5 s"]
    assert lateness["messages"] == today["sent"]
    assert (lateness["percent"], lateness["how"]) == (100.0, "estimated")


def test_lateness_is_a_histogram_of_the_last_day(
    settings: Settings, connection: psycopg.Connection
) -> None:
    due = NOW - timedelta(hours=6)
    for late in (0.5, 0.5, 30, 5 * 3600):
        sent = due + timedelta(seconds=late)
        add_message(connection, due, "SENT", actual_send_time=sent)
    old = NOW - timedelta(hours=25)
    add_message(connection, old, "SENT", actual_send_time=old + timedelta(seconds=2))
    found = rows(settings, "lateness")
    assert [row["messages"] for row in found] == [2, 0, 0, 1, 0, 0, 0, 0, 1]
    assert [row["percent_so_far"] for row in found[:4]] == [50, 50, 50, 75]
    assert found[-1]["percent_so_far"] == 100


def test_each_kind_of_stuck_is_counted_with_what_brings_it_on(
    settings: Settings, connection: psycopg.Connection
) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    add_message(connection, NOW - timedelta(minutes=6))
    add_message(connection, NOW - timedelta(minutes=4))
    add_message(connection, NOW, "RETRYING", next_attempt_at=past)
    add_message(connection, NOW, "QUEUED", updated_at=past)
    add_message(connection, NOW, "QUEUED")
    add_message(connection, NOW, "SENDING", lease_expires_at=past)
    add_message(connection, NOW, "RETRYING", next_attempt_at="infinity")
    found = rows(settings, "stuck")
    assert [row["messages"] for row in found] == [1, 1, 1, 1, 1]
    assert found[0]["oldest_due"] == NOW - timedelta(minutes=6)
    assert all(row["remedy"].startswith("bdaysched ") for row in found)


def test_the_queue_tells_where_its_rows_are(
    settings: Settings, connection: psycopg.Connection
) -> None:
    later, past = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, -1))
    add_message(connection, NOW - timedelta(minutes=1))
    add_message(connection, NOW, "QUEUED")
    add_message(connection, NOW, "QUEUED", lease_expires_at=later)
    add_message(connection, NOW, "SENDING", lease_expires_at=later)
    add_message(connection, NOW, "SENDING", lease_expires_at=past)
    add_message(connection, NOW, "RETRYING", next_attempt_at=past)
    add_message(connection, NOW, "RETRYING", next_attempt_at=later)
    add_message(connection, NOW, "RETRYING", next_attempt_at="infinity")
    assert [row["messages"] for row in rows(settings, "queue")] == [1] * 8


@contextmanager
def waiting(database: str, statement: str) -> Iterator[int]:
    """Let a session wait for a lock; yield its process."""
    with psycopg.connect(database, autocommit=True, application_name="second") as second:

        def run() -> None:
            with pytest.raises(psycopg.Error):
                second.execute(statement)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield second.info.backend_pid
        finally:
            with psycopg.connect(database, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (second.info.backend_pid,))
            thread.join(60)


async def test_locks_name_who_waits_and_who_is_in_the_way(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("SET application_name = 'first'")
    with connection.transaction():
        connection.execute("LOCK TABLE users")
        with waiting(settings.database_url, "SELECT count(*)\nFROM users") as pid:
            async with asyncio.timeout(60):
                while not (found := rows(settings, "locks")):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    (row,) = found
    assert row["waiting"] == f"{pid} second"
    assert row["blocked_by"] == f"{connection.info.backend_pid} first"
    assert row["blocker_is"].startswith("idle in transaction")
    assert (row["lock_on"], row["statement"]) == ("users", "SELECT count(*) FROM users")
    assert 0 <= row["waits_seconds"] < 60


def test_bloat_shows_dead_rows_of_the_worst_table_first(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("ALTER TABLE queue_pause SET (autovacuum_enabled = off)")
    connection.execute("INSERT INTO queue_pause (paused_by) VALUES ('me')")
    for _ in range(50):
        connection.execute("UPDATE queue_pause SET paused_by = repeat('x', 400)")
    for _ in range(80):
        connection.execute(
            "INSERT INTO changed_users (user_id, added) VALUES (gen_random_uuid(), true)"
        )
    connection.execute("DELETE FROM changed_users")
    connection.execute("SELECT pg_stat_force_next_flush()")
    first, *others = rows(settings, "bloat")
    assert (first["table"], first["live_rows"]) == ("changed_users", 0)
    assert (first["dead_rows"], first["dead_percent"]) == (80, 100)
    assert first["wasted_bytes"] > 0
    assert "queue_pause" in [row["table"] for row in others]
    assert len(others) < 20


def test_without_the_extension_statements_say_what_to_do(settings: Settings) -> None:
    table = monitor.table(settings, "statements", NOW)
    assert (table.rows, table.columns) == ([], [])
    assert table.note
    assert "CREATE EXTENSION pg_stat_statements" in table.note


def test_statements_once_the_server_has_loaded_the_extension() -> None:
    with process.folder("statements") as folder:
        server = PostgresServer(postgres.system_binaries(), folder)
        settings = Settings(database_url=server.url())
        server.start()
        try:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("CREATE EXTENSION pg_stat_statements")
            note = monitor.table(settings, "statements", NOW).note
            assert note
            assert "shared_preload_libraries" in note
            server.stop()
            server.start("-c", "shared_preload_libraries=pg_stat_statements")
            with psycopg.connect(server.url(), autocommit=True) as connection:
                for _ in range(3):
                    connection.execute("-- why\nSELECT  pg_sleep(0.01)")
            found = by(settings, "statements", "statement")
        finally:
            server.stop()
    (slow,) = (row for text, row in found.items() if "pg_sleep" in text)
    assert "why" not in slow["statement"]
    assert slow["calls"] == 3
    assert slow["mean_seconds"] >= 0.01


def test_workers_that_fell_silent_come_first(
    settings: Settings, connection: psycopg.Connection
) -> None:
    past = datetime.now(UTC) - timedelta(minutes=2)
    add_heartbeat(connection, pid=7, done=1_000, failed=3, rate=12.34)
    add_heartbeat(connection, pid=8, stale_at=past, last_beat_at=past)
    add_heartbeat(connection, "scheduler", pid=9, state="done in 0.3 s")
    found = rows(settings, "workers")
    assert [row["process"] for row in found] == [
        "worker here 8",
        "worker here 7",
        "scheduler here 9",
    ]
    assert found[0]["state"] == "STALE: delivering"
    assert 119 < found[0]["silent_seconds"] < 200
    assert (found[1]["done"], found[1]["failed"], found[1]["per_second"]) == (1000, 3, 12.3)


def test_a_locked_table_is_not_waited_for(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE message_logs")
        with pytest.raises(Locked, match="bdaysched monitor"):
            monitor.table(settings, "queue", NOW)


@pytest.mark.parametrize("name", ["messages", "lateness"])
@pytest.mark.usefixtures("march")
def test_only_the_months_of_the_days_that_are_shown_are_read(
    connection: psycopg.Connection, name: str
) -> None:
    now = datetime(2027, 3, 10, 12, tzinfo=UTC)
    explained: Any = connection.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {query(f'monitor/{name}')}", {"now": now}
    ).fetchone()
    read = {
        node["Relation Name"]
        for node in _nodes(explained[0][0]["Plan"])
        if node.get("Relation Name", "").startswith("message_logs_") and node["Actual Loops"]
    }
    assert read == {"message_logs_2027_03"}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)
