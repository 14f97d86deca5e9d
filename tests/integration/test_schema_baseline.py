"""A database that was made elsewhere is adopted, if it is what the migrations build."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_to
from birthday_cli.db.migrations import available
from birthday_cli.errors import NotUpToDate, UsageError
from birthday_cli.pipeline.schema.baseline import baseline
from birthday_cli.pipeline.schema.build import schema_file
from birthday_cli.pipeline.schema.check import check
from birthday_cli.pipeline.schema.migrate import migrate

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def elsewhere(empty_database: str) -> Settings:
    """Settings of a database that somebody made with psql from sql/schema.sql."""
    settings = Settings(database_url=empty_database)
    with connect_to(empty_database, settings) as connection:
        connection.execute(schema_file().read_text().encode())
        connection.execute(
            "CREATE TABLE message_logs_2026_11 PARTITION OF message_logs"
            " FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"
        )
        connection.execute("SELECT guard_message_table('message_logs_2026_11')")
    return settings


def test_a_database_made_elsewhere_is_compared_and_recorded(elsewhere: Settings) -> None:
    files = [migration.file for migration in available()]
    assert baseline(elsewhere, dry_run=True) == files
    assert baseline(elsewhere, reason="it was made by psql") == files
    assert baseline(elsewhere) == []
    done = migrate(elsewhere, NOW)
    assert done.migrations == []
    assert "message_logs_2026_11" not in done.partitions
    assert check(elsewhere) == []
    with psycopg.connect(elsewhere.database_url) as connection:
        events = connection.execute("SELECT event, reason FROM schema_events").fetchall()
    assert set(events) == {("baselined", "it was made by psql")}


def test_one_that_is_at_an_earlier_version_gets_the_rest_by_migrate(empty_database: str) -> None:
    settings = Settings(database_url=empty_database)
    migrate(settings, NOW, to="0004")
    with psycopg.connect(empty_database) as connection:
        connection.execute("DROP TABLE schema_migrations, schema_events")
    with pytest.raises(NotUpToDate, match="--to"):
        baseline(settings)
    assert [name[:4] for name in baseline(settings, to="0004")] == ["0001", "0002", "0003", "0004"]
    later = migrate(settings, NOW).migrations
    assert later == [one.file for one in available() if one.version > "0004"]
    assert check(settings) == []


def test_a_schema_that_is_another_one_is_refused_with_every_difference(
    elsewhere: Settings,
) -> None:
    with psycopg.connect(elsewhere.database_url) as connection:
        connection.execute("DROP INDEX idx_users_email_unique")
        connection.execute("ALTER TABLE message_logs_2026_11 DISABLE TRIGGER take_message_guard")
    with pytest.raises(NotUpToDate, match="in 2 places") as refused:
        baseline(elsewhere)
    assert [line[:38] for line in refused.value.detail.splitlines()] == [
        "index idx_users_email_unique on users ",
        "trigger take_message_guard on message_",
    ]
    with psycopg.connect(elsewhere.database_url) as connection:
        row = connection.execute("SELECT to_regclass('schema_migrations') IS NULL").fetchone()
    assert row == (True,)


def test_a_version_that_there_is_not_is_said_so(elsewhere: Settings) -> None:
    with pytest.raises(UsageError, match="--to 9999"):
        baseline(elsewhere, to="9999")
