from __future__ import annotations

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.domain import zones
from birthday_cli.errors import BdayschedError, DatabaseUnreachable, ExitCode, NotUpToDate
from birthday_cli.pipeline.schema.migrate import Migrated, migrate

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    monkeypatch.setattr(queries, "directory", lambda: copy)
    return copy


@pytest.fixture
def empty(empty_database: str) -> Settings:
    return Settings(database_url=empty_database)


def tables(settings: Settings) -> set[str]:
    with psycopg.connect(settings.database_url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p')"
        ).fetchall()
    return {name for (name,) in rows}


def test_an_empty_database_gets_everything_once(empty: Settings) -> None:
    done = migrate(empty, NOW)
    carried = sorted(path.name for path in (queries.directory() / "migrations").iterdir())
    assert done.migrations == carried
    months = [name for name in done.partitions if name.startswith("message_logs")]
    assert len(months) == 13
    assert (months[0], months[-1]) == ("message_logs_2026_11", "message_logs_2027_11")
    assert tables(empty) >= {"users", "message_logs", "message_guard", *done.partitions}
    assert migrate(empty, NOW) == Migrated([], [])
    with psycopg.connect(empty.database_url) as connection:
        count = connection.execute("SELECT count(*) FROM time_zones").fetchone()
        recorded = connection.execute(
            "SELECT count(*), bool_and(length(checksum) = 64) FROM schema_migrations"
        ).fetchone()
    assert count == (len(zones.names()),)
    assert recorded == (len(carried), True)


def test_a_later_run_makes_the_month_that_came_up(empty: Settings) -> None:
    migrate(empty, NOW)
    later = migrate(empty, datetime(2026, 12, 1, tzinfo=UTC))
    assert later.partitions == ["message_guard_2028_01", "message_logs_2027_12"]


def test_a_dry_run_changes_nothing(empty: Settings) -> None:
    told = migrate(empty, NOW, dry_run=True)
    assert tables(empty) == set()
    assert migrate(empty, NOW) == told


def test_eight_at_once_apply_each_file_once(empty: Settings) -> None:
    start, results = threading.Barrier(8), list[Migrated]()

    def one() -> None:
        start.wait()
        results.append(migrate(empty, NOW))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len([result for result in results if result.migrations]) == 1


def test_an_edited_file_stops_with_its_name(empty: Settings, sql: Path) -> None:
    migrate(empty, NOW)
    edited = sql / "migrations" / "0001_users.sql"
    edited.write_text(edited.read_text() + "-- a word more\n")
    with pytest.raises(NotUpToDate, match=r"0001_users\.sql was edited"):
        migrate(empty, NOW)


def test_a_missing_file_stops_with_its_name(empty: Settings, sql: Path) -> None:
    migrate(empty, NOW)
    (sql / "migrations" / "0002_message_logs.sql").unlink()
    with pytest.raises(NotUpToDate, match=r"0002_message_logs\.sql"):
        migrate(empty, NOW)


def test_a_file_that_comes_too_late_stops_with_its_name(empty: Settings, sql: Path) -> None:
    late = sql / "migrations" / "0002_message_logs.sql"
    (sql / "migrations" / "0009_last.sql").write_text("SELECT 1;")
    migrate(empty, NOW)
    shutil.copy(late, sql / "migrations" / "0008_between.sql")
    with pytest.raises(NotUpToDate, match=r"0008_between\.sql is older than 0009"):
        migrate(empty, NOW)


def test_a_wrong_statement_names_file_and_line_and_leaves_nothing(
    empty: Settings, sql: Path
) -> None:
    migrate(empty, NOW)
    broken = sql / "migrations" / "0009_broken.sql"
    broken.write_text("CREATE TABLE half (id int);\n\nSELEKT 1;\n")
    with pytest.raises(BdayschedError, match=r"0009_broken\.sql:3:1: syntax error") as failed:
        migrate(empty, NOW)
    assert failed.value.exit_code is ExitCode.FAILED
    assert "half" not in tables(empty)
    broken.write_text("CREATE TABLE whole (id int);\n")
    assert migrate(empty, NOW).migrations == ["0009_broken.sql"]


@pytest.mark.parametrize("name", ["0009-dash.sql", "9_short.sql", "notes.sql"])
def test_a_file_that_is_named_wrongly_is_said_so(empty: Settings, sql: Path, name: str) -> None:
    (sql / "migrations" / name).write_text("SELECT 1;")
    with pytest.raises(BdayschedError, match="is not named like"):
        migrate(empty, NOW)


def test_no_server_is_said_in_one_line_without_the_password() -> None:
    with pytest.raises(DatabaseUnreachable) as failed:
        migrate(Settings(database_url="postgresql://me:geheim@127.0.0.1:1/x"), NOW)
    assert "geheim" not in str(failed.value)
    assert "me:***@127.0.0.1:1" in str(failed.value)
    assert "\n" not in str(failed.value)
