from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from birthday_cli.brokers.base import Depth
from birthday_cli.config import Settings
from birthday_cli.db.queries import directory
from birthday_cli.errors import NotUpToDate, UsageError
from birthday_cli.pipeline import look
from tests.facts import NOW, add_message
from tests.servers.redis import RedisServer


def test_status_of_a_day(settings: Settings, connection: psycopg.Connection) -> None:
    add_message(connection, NOW - timedelta(hours=2), "SENT")
    add_message(connection, NOW - timedelta(hours=1), "QUEUED")
    add_message(connection, NOW + timedelta(hours=1))
    add_message(connection, NOW.replace(hour=23, minute=59))
    add_message(connection, NOW + timedelta(hours=12))  # 0:00 of the next day
    found = look.status(settings, NOW)
    assert found.today == {"SENT": 1, "QUEUED": 1, "SCHEDULED": 2}
    assert found.oldest_unsent == NOW - timedelta(hours=1)
    assert found.queue == Depth(ready=1, dead=0)
    latest = max(path.name for path in (directory() / "migrations").glob("*.sql"))
    assert (found.pending_migrations, found.schema) == ([], latest[:4])
    assert found.months_ahead == 12
    assert found.redis == "not set"
    assert found.worker_connections == 0


def test_status_of_an_empty_database_says_what_to_do(empty_database: str) -> None:
    with pytest.raises(NotUpToDate, match="bdaysched migrate"):
        look.status(Settings(database_url=empty_database), NOW)


def test_a_broker_that_is_away_is_shown_and_is_no_failure(settings: Settings) -> None:
    away = replace(settings, broker_url="amqp://me:geheim@127.0.0.1:1/")
    queue = look.status(away, NOW).queue
    assert isinstance(queue, str)
    assert "cannot reach the broker" in queue
    assert "geheim" not in queue


def test_redis_is_asked(settings: Settings, redis_server: RedisServer) -> None:
    assert look.status(replace(settings, redis_url=redis_server.url), NOW).redis == "ok"


@pytest.mark.parametrize("url", ["redis://:geheim@127.0.0.1:1", "not-a-url"])
def test_redis_that_is_away_is_shown_and_is_no_failure(settings: Settings, url: str) -> None:
    told = look.status(replace(settings, redis_url=url), NOW).redis
    assert told.startswith("unreachable: ")
    assert "geheim" not in told


def test_every_monitoring_table_can_be_shown(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection)
    connection.execute("ANALYZE")
    names = look.tables()
    assert set(names) >= {"partitions", "indexes", "connections"}
    for name, title in names.items():
        table = look.table(settings, name)
        assert table.title == title != ""
        assert table.rows
        assert len(table.columns) == len(set(table.columns)) == len(table.rows[0])


def test_partitions_are_those_of_message_logs_with_rows_and_size(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("CREATE TABLE message_logs_backup (LIKE message_logs)")
    add_message(connection)
    connection.execute("ANALYZE")
    table = look.table(settings, "partitions")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert len(rows) == 13
    by_name = {row["partition"]: row for row in rows}
    this_month = by_name[f"message_logs_{NOW:%Y_%m}"]
    assert this_month["rows"] == 1
    empty = [row["total_bytes"] for row in rows if row is not this_month]
    assert this_month["total_bytes"] > max(empty) > 0


def test_connections_add_up(settings: Settings, connection: psycopg.Connection) -> None:
    connection.execute("SET application_name = 'somebody'")
    table = look.table(settings, "connections")
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["somebody"]["total"] == rows["somebody"]["idle"] == 1
    total = sum(row["total"] for name, row in rows.items() if name != "all")
    assert rows["all"]["total"] == total >= 2


def test_a_table_that_is_not_there_names_those_that_are(settings: Settings) -> None:
    with pytest.raises(UsageError, match="connections, indexes, partitions"):
        look.table(settings, "weather")
