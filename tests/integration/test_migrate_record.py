"""What was applied is kept, compared on every run, and accepted otherwise on the record only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.errors import NotUpToDate, UsageError
from birthday_cli.pipeline.queue import person
from birthday_cli.pipeline.schema.record import repair, status
from tests.migrating import Folder, own_folder

ONE = "CREATE TABLE one (a int);\n-- a comment\n"
TWO = "CREATE TABLE two (a int);\n"
THREE = "CREATE TABLE three (a int);\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = own_folder(tmp_path, monkeypatch)
    folder.write("0001_one.sql", ONE)
    folder.write("0003_three.sql", THREE)
    return folder


@pytest.fixture
def settings(empty_database: str) -> Settings:
    return Settings(database_url=empty_database)


def ask(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def refusal(settings: Settings, folder: Folder) -> NotUpToDate:
    with pytest.raises(NotUpToDate) as refused:
        folder.migrate(settings)
    assert "\n" not in str(refused.value)
    return refused.value


def states(settings: Settings) -> dict[str, str]:
    return {migration.file: migration.state for migration in status(settings).migrations}


def test_an_edited_file_stops_with_its_name_and_what_changed(
    settings: Settings, folder: Folder
) -> None:
    folder.migrate(settings)
    folder.write("0001_one.sql", ONE.replace("a comment", "another"))
    problem = refusal(settings, folder)
    assert "0001_one.sql was edited after it was applied: restore the file" in str(problem)
    assert "`bdaysched schema repair 0001 --reason" in str(problem)
    head, changed = problem.detail.split("@@\n")
    assert head.startswith("--- 0001_one.sql, applied 20")
    assert "+++ 0001_one.sql, now" in head
    assert changed.splitlines() == [" CREATE TABLE one (a int);", "--- a comment", "+-- another"]
    assert states(settings)["0001_one.sql"] == "edited"


def test_a_missing_file_stops_with_its_name_and_what_it_said(
    settings: Settings, folder: Folder
) -> None:
    folder.migrate(settings)
    (folder.path / "0001_one.sql").unlink()
    problem = refusal(settings, folder)
    assert "0001_one.sql was applied to this database and is not in this version" in str(problem)
    assert "-CREATE TABLE one (a int);" in problem.detail
    assert states(settings)["0001_one.sql"] == "missing"


def test_a_late_file_stops_with_its_name_and_what_it_says(
    settings: Settings, folder: Folder
) -> None:
    folder.migrate(settings)
    folder.write("0002_two.sql", TWO)
    problem = refusal(settings, folder)
    assert "0002_two.sql is older than 0003, which was applied already" in str(problem)
    assert "+CREATE TABLE two (a int);" in problem.detail
    assert states(settings)["0002_two.sql"] == "late"


def test_another_file_of_the_same_number_is_named(settings: Settings, folder: Folder) -> None:
    folder.migrate(settings)
    (folder.path / "0001_one.sql").unlink()
    folder.write("0001_other.sql", TWO)
    problem = refusal(settings, folder)
    assert "0001_other.sql has the number of 0001_one.sql, which was applied" in str(problem)


def test_a_file_that_only_got_another_name_is_the_same(settings: Settings, folder: Folder) -> None:
    folder.migrate(settings)
    (folder.path / "0001_one.sql").rename(folder.path / "0001_first.sql")
    assert folder.migrate(settings) == []


def test_more_than_one_is_said_so(settings: Settings, folder: Folder) -> None:
    folder.migrate(settings)
    folder.write("0001_one.sql", TWO)
    folder.write("0002_two.sql", TWO)
    assert "1 more: see `bdaysched schema status`" in str(refusal(settings, folder))


def test_every_accepted_file_is_on_the_record_with_who_and_why_and_what_was_before(
    settings: Settings, folder: Folder
) -> None:
    folder.write("0004_four.sql", "CREATE TABLE four (a int);\n")
    folder.migrate(settings)
    applied_at = ask(settings, "SELECT applied_at FROM schema_migrations ORDER BY version")
    edited = ONE.replace("a comment", "another")
    folder.write("0001_one.sql", edited)
    folder.write("0002_two.sql", TWO)
    (folder.path / "0003_three.sql").unlink()
    told = repair(settings, ["0001", "0002", "0003"], "a reason", dry_run=True)
    assert [one.state for one in told] == ["edited", "late", "missing"]
    assert ask(settings, "TABLE schema_events") == []

    assert repair(settings, ["0001", "0002", "0003"], "a reason") == told
    assert folder.migrate(settings) == ["0002_two.sql"]
    assert states(settings) == {
        "0001_one.sql": "applied",
        "0002_two.sql": "applied",
        "0003_three.sql": "gone",
        "0004_four.sql": "applied",
    }
    events = ask(
        settings,
        "SELECT event, version, name, content, checksum, done_by, reason,"
        " now() - happened_at < interval '1 day' FROM schema_events ORDER BY event_id",
    )
    assert events == [
        (
            event,
            version,
            name,
            content,
            hashlib.sha256(content.encode()).hexdigest(),
            person(),
            "a reason",
            True,
        )
        for event, version, name, content in [
            ("edited file accepted", "0001", "one", ONE),
            ("late file accepted", "0002", "two", TWO),
            ("missing file accepted", "0003", "three", THREE),
        ]
    ]
    kept = ask(settings, "SELECT version, content, applied_at FROM schema_migrations ORDER BY 1")
    assert kept[0] == ("0001", edited, applied_at[0][0])
    assert kept[2] == ("0003", THREE, applied_at[1][0])
    assert folder.migrate(settings) == []


def test_what_was_accepted_is_not_accepted_for_ever(settings: Settings, folder: Folder) -> None:
    folder.migrate(settings)
    folder.write("0001_one.sql", TWO)
    folder.write("0002_two.sql", TWO)
    repair(settings, ["0001", "0002"], "a reason")
    folder.write("0001_one.sql", THREE)
    folder.write("0002_two.sql", THREE)
    assert states(settings)["0001_one.sql"] == "edited"
    assert states(settings)["0002_two.sql"] == "late"


@pytest.mark.parametrize(
    ("version", "said"),
    [("0001", "0001_one.sql is applied: there is nothing"), ("0009", "0009: there is no such")],
)
def test_there_is_nothing_to_accept_of_what_is_right(
    settings: Settings, folder: Folder, version: str, said: str
) -> None:
    folder.migrate(settings)
    folder.write("0002_two.sql", TWO)
    with pytest.raises(UsageError, match=said):
        repair(settings, ["0002", version], "a reason")
    assert states(settings)["0002_two.sql"] == "late"


EARLY = """
    CREATE TABLE schema_migrations (
        version text PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(), duration_ms integer NOT NULL
    )
"""


@pytest.fixture
def early(settings: Settings) -> Settings:
    """A database as an early version of the program left it."""
    checksum = hashlib.sha256(ONE.encode()).hexdigest()
    ask(settings, EARLY)
    ask(settings, f"INSERT INTO schema_migrations VALUES ('0001', 'one', '{checksum}', now(), 5)")
    return settings


def test_the_record_of_an_early_version_is_brought_up_to_date(
    early: Settings, folder: Folder
) -> None:
    assert states(early) == {"0001_one.sql": "applied", "0003_three.sql": "pending"}
    assert not status(early).up_to_date
    assert folder.migrate(early) == ["0003_three.sql"]
    kept = ask(early, "SELECT version, content FROM schema_migrations ORDER BY version")
    assert kept == [("0001", ONE), ("0003", THREE)]
    assert status(early).up_to_date


def test_what_an_early_version_did_not_keep_is_said_to_be_lost(
    early: Settings, folder: Folder
) -> None:
    folder.write("0001_one.sql", TWO)
    assert "was not kept by the version of then" in refusal(early, folder).detail
    repair(early, ["0001"], "a reason")
    assert folder.migrate(early) == ["0003_three.sql"]
