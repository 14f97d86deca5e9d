"""Files that are no transaction: one statement, and what an interruption leaves is put right."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db import migrations_apply
from birthday_cli.db.connect import Connection
from birthday_cli.db.migrations import Migration
from birthday_cli.errors import BdayschedError
from tests.migrating import Folder, own_folder


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs behind it."""


def kill_before_verifying(
    version: str, settings: Settings, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a run die when the statement of the migration of that version is done."""

    def verify(_: Connection, migration: Migration) -> None:
        if migration.version == version:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(migrations_apply, "verify", verify)
        with pytest.raises(Killed):
            folder.migrate(settings)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = own_folder(tmp_path, monkeypatch)
    folder.write("0001_table.sql", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (2);\n")
    return folder


@pytest.fixture
def empty(empty_database: str) -> Settings:
    return Settings(database_url=empty_database)


def ask(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def index_is_valid(settings: Settings) -> list[tuple[object, ...]]:
    return ask(
        settings,
        "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = 't_a'",
    )


def recorded(settings: Settings) -> list[str]:
    return [str(version) for (version,) in ask(settings, "SELECT version FROM schema_migrations")]


def leave_invalid_index(settings: Settings, table: str = "t") -> None:
    """Build an index as an interrupted run does: two equal values break a unique one off."""
    ask(settings, f"INSERT INTO {table} VALUES (1)")
    with pytest.raises(errors.UniqueViolation):
        ask(settings, f"CREATE UNIQUE INDEX CONCURRENTLY t_a ON {table} (a)")
    assert index_is_valid(settings) == [(False,)]


def test_an_index_is_built_while_others_write_and_is_recorded(
    empty: Settings, folder: Folder
) -> None:
    folder.write_index()
    assert folder.migrate(empty) == ["0001_table.sql", "0002_index.sql"]
    assert index_is_valid(empty) == [(True,)]
    assert folder.migrate(empty) == []


@pytest.mark.parametrize("how", ["CREATE INDEX", "create unique index", "CREATE INDEX IF NOT"])
def test_an_invalid_index_of_an_interrupted_run_is_dropped_and_built_again(
    empty: Settings, folder: Folder, how: str
) -> None:
    folder.migrate(empty)
    leave_invalid_index(empty)
    ask(empty, "DELETE FROM t")
    file = folder.write_index()
    if "unique" in how:
        file.write_text(file.read_text().replace("CREATE INDEX", how))
    if "IF NOT" in how:
        file.write_text(file.read_text().replace("LY t_a ON", 'LY IF NOT EXISTS "t_a"\nON public.'))
    folder.migrate(empty)
    assert index_is_valid(empty) == [(True,)]
    assert recorded(empty) == ["0001", "0002"]


def test_a_run_killed_between_the_index_and_its_record_is_only_recorded_by_the_next(
    empty: Settings, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.migrate(empty)
    folder.write_index()
    kill_before_verifying("0002", empty, folder, monkeypatch)
    built = ask(empty, "SELECT 't_a'::regclass::oid")
    assert recorded(empty) == ["0001"]
    folder.migrate(empty)
    assert ask(empty, "SELECT 't_a'::regclass::oid") == built
    assert recorded(empty) == ["0001", "0002"]


def test_an_index_that_somebody_else_made_is_not_taken_for_ours(
    empty: Settings, folder: Folder
) -> None:
    folder.migrate(empty)
    ask(empty, "CREATE INDEX t_a ON t (a)")
    folder.write_index()
    for _ in range(2):
        with pytest.raises(BdayschedError, match=r'0002_index\.sql:2:1: .*"t_a" already exists'):
            folder.migrate(empty)
    assert recorded(empty) == ["0001"]


def test_what_another_version_of_the_file_left_is_dropped(empty: Settings, folder: Folder) -> None:
    folder.migrate(empty)
    ask(empty, "INSERT INTO t VALUES (1)")
    file = folder.write_index()
    file.write_text(file.read_text().replace("CREATE INDEX", "CREATE UNIQUE INDEX"))
    with pytest.raises(BdayschedError, match="could not create unique index"):
        folder.migrate(empty)
    assert index_is_valid(empty) == [(False,)]
    file.write_text("-- bdaysched: no-transaction\nCREATE INDEX CONCURRENTLY other ON t (a);\n")
    folder.migrate(empty)
    assert index_is_valid(empty) == []
    assert recorded(empty) == ["0001", "0002"]


def test_an_index_without_a_name_is_refused_before_anything_is_applied(
    empty: Settings, folder: Folder
) -> None:
    folder.write(
        "0002_index.sql", "-- bdaysched: no-transaction\n\nCREATE INDEX CONCURRENTLY ON t (a);\n"
    )
    with pytest.raises(BdayschedError, match=r"0002_index\.sql:3:1: give the index a name"):
        folder.migrate(empty)
    assert recorded(empty) == []


def test_an_interrupted_drop_of_an_index_is_done_again_or_only_recorded(
    empty: Settings, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.migrate(empty)
    leave_invalid_index(empty)
    folder.write(
        "0002_drop.sql", "-- bdaysched: no-transaction\nDROP INDEX CONCURRENTLY public.t_a;\n"
    )
    kill_before_verifying("0002", empty, folder, monkeypatch)
    assert index_is_valid(empty) == []
    folder.migrate(empty)
    assert recorded(empty) == ["0001", "0002"]


def test_an_interrupted_rebuilding_leaves_no_half_index(empty: Settings, folder: Folder) -> None:
    folder.write_index()
    folder.migrate(empty)
    ask(empty, "ALTER INDEX t_a RENAME TO t_a_ccnew")
    ask(empty, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a_ccnew'::regclass")
    folder.write("0003_again.sql", "-- bdaysched: no-transaction\nREINDEX TABLE CONCURRENTLY t;\n")
    folder.migrate(empty)
    assert ask(empty, "SELECT relname FROM pg_class WHERE relname ~ '^t_a'") == []
    assert recorded(empty) == ["0001", "0002", "0003"]


PARTITIONED = """
CREATE TABLE p (a int) PARTITION BY LIST (a);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
"""
DETACH = "-- bdaysched: no-transaction\nALTER TABLE p DETACH PARTITION p_1 CONCURRENTLY;\n"


def partitions(settings: Settings) -> list[tuple[object, ...]]:
    return ask(settings, "SELECT inhrelid::regclass::text, inhdetachpending FROM pg_inherits")


def test_an_interrupted_detaching_is_finished(empty: Settings, folder: Folder) -> None:
    folder.write("0002_partitioned.sql", PARTITIONED)
    folder.migrate(empty)
    with psycopg.connect(empty.database_url) as reader:
        reader.execute("SELECT FROM p")
        with psycopg.connect(empty.database_url, autocommit=True) as other:
            other.execute("SET lock_timeout = '100ms'")
            with pytest.raises(errors.LockNotAvailable):
                other.execute("ALTER TABLE p DETACH PARTITION p_1 CONCURRENTLY")
    assert partitions(empty) == [("p_1", True)]
    folder.write("0003_detach.sql", DETACH)
    folder.migrate(empty)
    assert partitions(empty) == []
    assert recorded(empty) == ["0001", "0002", "0003"]


def test_a_run_killed_between_detaching_and_its_record_is_only_recorded_by_the_next(
    empty: Settings, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("0002_partitioned.sql", PARTITIONED)
    folder.write("0003_detach.sql", DETACH)
    kill_before_verifying("0003", empty, folder, monkeypatch)
    assert (partitions(empty), recorded(empty)) == ([], ["0001", "0002"])
    folder.migrate(empty)
    assert recorded(empty) == ["0001", "0002", "0003"]
