from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import pooler
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.pooler import require_session
from birthday_cli.errors import ExitCode, UsageError
from birthday_cli.pipeline.schema.migrate import migrate
from tests.servers.pgbouncer import StartPgBouncer

# What most pools are told, since most clients start with settings of their own.
LENIENT = "options,extra_float_digits"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    with connect(Settings(database_url=url)) as connection:
        yield connection


def busy(url: str, count: int) -> None:
    """Make the pool open that many server connections, which are idle afterwards."""
    with ExitStack() as open_ones:
        for _ in range(count):
            connection = open_ones.enter_context(psycopg.connect(url))
            connection.execute("SELECT 1")


def locks(connection: psycopg.Connection) -> object:
    return connection.execute("SELECT * FROM pg_locks WHERE locktype = 'advisory'").fetchall()


def test_a_direct_connection_is_a_session_of_its_own(
    database: str, connection: psycopg.Connection
) -> None:
    with connected(database) as direct:
        require_session(direct)
        assert locks(connection) == []


@pytest.mark.parametrize("pool", ["one server", "several servers", "servers in turn"])
def test_a_pool_in_transaction_mode_is_noticed(
    pgbouncer: StartPgBouncer, connection: psycopg.Connection, pool: str
) -> None:
    url = pgbouncer(
        pool_mode="transaction",
        ignore_startup_parameters=LENIENT,
        default_pool_size=1 if pool == "one server" else 5,
        server_round_robin=int(pool == "servers in turn"),
    )
    busy(url, 1 if pool == "one server" else 4)
    with connected(url) as pooled, pytest.raises(UsageError) as failed:
        require_session(pooled)
    assert failed.value.exit_code is ExitCode.USAGE
    assert "give the URL of PostgreSQL itself in DATABASE_URL" in str(failed.value)
    assert locks(connection) == []


def test_migrate_through_a_pool_in_transaction_mode_does_nothing(
    pgbouncer: StartPgBouncer, empty_database: str
) -> None:
    url = pgbouncer(pool_mode="transaction", ignore_startup_parameters=LENIENT)
    pooled = url.rpartition("/")[0] + "/" + empty_database.rpartition("/")[2]
    with pytest.raises(UsageError, match="give the URL of PostgreSQL itself"):
        migrate(Settings(database_url=pooled), datetime.now(UTC))
    with psycopg.connect(empty_database) as direct:
        tables = direct.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == []


def test_a_pool_in_statement_mode_is_noticed(pgbouncer: StartPgBouncer) -> None:
    url = pgbouncer(pool_mode="statement", ignore_startup_parameters=LENIENT)
    with (
        connected(url) as pooled,
        pytest.raises(UsageError, match="gives every transaction another session"),
    ):
        require_session(pooled)


def test_a_pool_in_session_mode_is_a_session_of_its_own(pgbouncer: StartPgBouncer) -> None:
    url = pgbouncer(pool_mode="session", ignore_startup_parameters=LENIENT)
    busy(url, 3)
    with connected(url) as pooled:
        require_session(pooled)


def test_a_full_pool_in_session_mode_is_not_waited_for(
    pgbouncer: StartPgBouncer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooler, "_PATIENCE", 0.2)
    url = pgbouncer(pool_mode="session", ignore_startup_parameters=LENIENT, default_pool_size=1)
    with connected(url) as pooled:
        require_session(pooled)
        assert pooled.execute("SELECT 1").fetchone() == (1,)


def test_a_pool_that_refuses_the_sessions_settings_is_said_so(pgbouncer: StartPgBouncer) -> None:
    url = pgbouncer(pool_mode="session")
    with pytest.raises(UsageError) as failed, connected(url):
        pass
    assert "(unsupported startup parameter: options): give the URL of" in str(failed.value)


def test_rds_proxy_that_refuses_the_sessions_settings_is_said_so() -> None:
    # There is none to be had here; the text is what its users report.
    said = "FATAL:  Feature not supported: RDS Proxy currently doesn't support command-line options"
    assert "give the URL of PostgreSQL itself" in str(pooler.explain(said))
    assert pooler.explain("FATAL:  password authentication failed") is None
