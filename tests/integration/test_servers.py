"""The suite's own servers: what other tests rely on without looking."""

from __future__ import annotations

import psycopg
import pytest

from birthday_cli.config import Settings
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


def _one(url: str, query: str) -> object:
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def test_an_empty_database_is_empty(empty_database: str) -> None:
    assert _one(empty_database, "SELECT to_regclass('users')") is None


@pytest.mark.parametrize("_again", range(3))
def test_every_test_has_a_migrated_database_of_its_own(settings: Settings, _again: int) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("CREATE TABLE left_behind ()")
    assert _one(settings.database_url, "SELECT count(*) FROM message_logs") == 0


def test_a_killed_server_recovers_what_was_committed(
    postgres_server: PostgresServer, empty_database: str
) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    postgres_server.kill()
    with pytest.raises(psycopg.OperationalError):
        _one(empty_database, "SELECT 1")
    postgres_server.start()
    assert _one(empty_database, "SELECT one FROM kept") == 1
    postgres_server.stop()
    postgres_server.start()
    assert _one(empty_database, "SELECT one FROM kept") == 1


def test_redis_answers(redis_server: RedisServer) -> None:
    assert redis_server.answers()
