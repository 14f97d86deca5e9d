"""`migrate --plan`: the locks of each statement, found by rehearsal on a scratch copy."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.schema.migrate import Plan, migrate, plan
from tests.migrating import NOW, Folder, own_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The program's own migrations, to which a test adds others."""
    carried = {
        path.name: path.read_bytes() for path in (queries.directory() / "migrations").iterdir()
    }
    folder = own_folder(tmp_path, monkeypatch)
    for name, content in carried.items():
        folder.write(name, content)
    return folder


def locks(found: Plan) -> list[dict[str, str]]:
    """Return the mode by relation, of each statement."""
    return [
        {lock.relation: lock.mode for lock in statement.locks}
        for migration in found.migrations
        for statement in migration.statements
    ]


def test_each_statement_of_a_transaction_names_the_locks_that_it_adds(
    settings: Settings, folder: Folder
) -> None:
    folder.write(
        "0901_change.sql",
        "CREATE TABLE notes (user_id uuid REFERENCES users (id));\n"
        "ALTER TABLE users ADD COLUMN nickname text;\n"
        "COMMENT ON COLUMN users.nickname IS 'x';\n"
        "INSERT INTO notes SELECT id FROM users;\n"
        "CREATE INDEX ON message_guard (user_id);\n"
        "DROP INDEX idx_message_logs_status;\n"
        "-- verify\nSELECT true;\n",
    )
    found = plan(settings, NOW)
    reference, column, comment, nothing, index, dropped = locks(found)
    assert reference == {"users": "SHARE ROW EXCLUSIVE"}
    assert column == {"users": "ACCESS EXCLUSIVE"}
    assert comment == nothing == {}
    assert index.pop("message_guard") == "SHARE"
    assert set(index.values()) == {"SHARE"}
    assert all(name.startswith("message_guard_20") for name in index)
    assert dropped["message_logs"] == "ACCESS EXCLUSIVE"
    assert {name[:15] for name in dropped} == {"message_logs", "message_logs_20"}
    (file,) = found.migrations
    assert (file.file, file.transactional, file.checks) == (
        "0901_change.sql",
        True,
        ["SELECT true"],
    )
    assert file.statements[1].sql == "ALTER TABLE users ADD COLUMN nickname text"
    assert (file.statements[1].line, file.statements[1].column) == (2, 1)
    assert [lock.blocks for lock in file.statements[1].locks] == ["reads and writes"]


def test_statements_that_work_concurrently_are_held_up_and_looked_at(
    settings: Settings, folder: Folder
) -> None:
    first = "-- bdaysched: no-transaction\n"
    month = _month(settings)
    folder.write("0901_a.sql", f"{first}CREATE INDEX CONCURRENTLY x ON users (location_city);\n")
    folder.write("0902_b.sql", f"{first}DROP INDEX CONCURRENTLY x;\n")
    folder.write(
        "0903_c.sql",
        f"{first}ALTER TABLE message_logs DETACH PARTITION {month} CONCURRENTLY;\n",
    )
    folder.write("0904_d.sql", f"{first}REINDEX TABLE CONCURRENTLY users;\n")
    folder.write("0905_e.sql", f"{first}VACUUM FULL time_zones;\n")
    found = plan(settings, NOW)
    built, dropped, detached, rebuilt, emptied = locks(found)
    assert built == {"users": "SHARE UPDATE EXCLUSIVE"}
    assert dropped == {"users": "SHARE UPDATE EXCLUSIVE"}
    assert detached["message_logs"] == "SHARE UPDATE EXCLUSIVE"
    assert detached[month] == "ACCESS EXCLUSIVE"
    assert rebuilt["users"] == "SHARE UPDATE EXCLUSIVE"
    assert emptied["time_zones"] == "ACCESS EXCLUSIVE"
    waiting = [migration.statements[0].waits_for_transactions for migration in found.migrations]
    assert waiting == [True, True, True, True, False]


def _month(settings: Settings) -> str:
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'message_logs'::regclass LIMIT 1"
        ).fetchone()
    assert row
    return str(row[0])


def test_a_plan_changes_nothing_and_leaves_no_scratch_database(
    settings: Settings, folder: Folder
) -> None:
    folder.write("0901_change.sql", "CREATE TABLE notes (a int);\n")
    assert [migration.file for migration in plan(settings, NOW).migrations] == ["0901_change.sql"]
    with psycopg.connect(settings.database_url) as connection:
        assert connection.execute("SELECT to_regclass('notes')").fetchone() == (None,)
        left = connection.execute("SELECT FROM pg_database WHERE datname LIKE '%scratch%'")
        assert left.fetchall() == []
    assert migrate(settings, NOW, to="0901").migrations == ["0901_change.sql"]


def test_an_error_is_found_by_the_rehearsal_at_its_place(
    settings: Settings, folder: Folder
) -> None:
    folder.write("0901_change.sql", "SELECT 1;\nALTER TABLE users ADD COLUMN email text;\n")
    with pytest.raises(BdayschedError, match=r'0901_change\.sql:2:1: column "email" .* exists'):
        plan(settings, NOW)


def test_an_empty_database_is_planned_from_its_first_file(
    empty_database: str, folder: Folder
) -> None:
    found = plan(Settings(database_url=empty_database), NOW)
    carried = sorted(path.name for path in folder.path.iterdir())
    assert [migration.file for migration in found.migrations] == carried
    assert [name for name in found.partitions if name.startswith("message_logs")]
