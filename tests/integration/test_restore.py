"""A month comes back from its archive as it was, or nothing changes and it is said why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

from birthday_cli.archives import csv_gzip, formats, parquet
from birthday_cli.config import Settings
from birthday_cli.db import erasing, partition_events, partitions
from birthday_cli.db.connect import connect
from birthday_cli.db.partitions import GUARD, MESSAGES
from birthday_cli.domain import manifest as manifests
from birthday_cli.domain.manifest import Damaged
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.partitions.archive import archive, verify
from birthday_cli.pipeline.partitions.restore import restore
from tests.archiving import MONTH, NAME, TEXTS, differences, fill, keep_copy, take_away
from tests.facts import add_message, add_user

BESIDE = f"{NAME}_restored"
GUARDED = "SELECT * FROM message_guard ORDER BY 1, 2, 3"


@pytest.fixture
def archived(connection: psycopg.Connection, tmp_path: Path) -> str:
    """The manifest of a month that has gone; the table `kept` is a copy of it."""
    fill(connection)
    keep_copy(connection)
    done = archive(connection, NAME, str(tmp_path), "me")
    take_away(connection)
    return done.manifest


def is_there(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,)


def is_attached(connection: psycopg.Connection) -> bool:
    return NAME in [month.name for month in partitions.existing(connection, MESSAGES)]


def user_of_one(connection: psycopg.Connection) -> Any:
    row: Any = connection.execute("SELECT user_id FROM kept WHERE retry_count = 3").fetchone()
    return row[0]


@pytest.mark.parametrize("form", [csv_gzip, parquet], ids=["csv", "parquet"])
def test_every_column_is_as_it_was(
    settings: Settings,
    connection: psycopg.Connection,
    tmp_path: Path,
    form: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "known", lambda: [form])
    fill(connection)
    keep_copy(connection)
    done = archive(connection, NAME, str(tmp_path), "me")
    take_away(connection)
    restored = restore(settings, done.manifest)
    assert (restored.rows, restored.table, restored.is_new) == (done.rows, NAME, True)
    assert is_attached(connection)
    assert differences(connection) == 0
    # The hashes are the server's, of what is there now.
    again = archive(connection, NAME, str(tmp_path / "again"), "me")
    assert verify(again.manifest).hash_by_status == verify(done.manifest).hash_by_status


def test_the_data_file_names_an_archive_as_well(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    restore(settings, archived.replace(".manifest.json", ".parquet"))
    assert differences(connection) == 0


def test_an_object_store_gives_it_back(
    settings: Settings, connection: psycopg.Connection, bucket: str
) -> None:
    fill(connection)
    keep_copy(connection)
    done = archive(connection, NAME, bucket, "me")
    take_away(connection)
    restore(settings, done.manifest)
    assert differences(connection) == 0


def test_the_month_is_like_one_that_never_went(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    made_by_create = MONTH.plus(1).partition_of(MESSAGES)
    shape = """
        SELECT 'constraint', contype::text, convalidated::text, confrelid::regclass::text
        FROM pg_constraint WHERE conrelid = to_regclass(%(name)s)
        UNION ALL
        SELECT 'trigger', replace(tgname, %(name)s, ''), '', ''
        FROM pg_trigger WHERE tgrelid = to_regclass(%(name)s) AND NOT tgisinternal
        UNION ALL
        SELECT 'index', replace(relname, %(name)s, ''), indisvalid::text, ''
        FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = to_regclass(%(name)s)
        ORDER BY 1, 2, 3, 4"""
    wanted = connection.execute(shape.encode(), {"name": made_by_create}).fetchall()
    restore(settings, archived)
    assert connection.execute(shape.encode(), {"name": NAME}).fetchall() == wanted


def test_the_guard_neither_frees_nor_doubles_a_place(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    before = connection.execute(GUARDED).fetchall()
    assert len(before) == len(TEXTS)
    restore(settings, archived)
    assert connection.execute(GUARDED).fetchall() == before
    for table in (MESSAGES, NAME):
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(
                f"INSERT INTO {table} (user_id, message_type, message_content, delivery_date,"
                " scheduled_send_time) SELECT user_id, message_type, '', delivery_date,"
                f" scheduled_send_time FROM {NAME} LIMIT 1".encode()
            )


def test_a_place_of_the_guard_that_was_lost_is_taken_again(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    before = connection.execute(GUARDED).fetchall()
    connection.execute(f"DROP TABLE {MONTH.partition_of(GUARD)}".encode())
    restore(settings, archived)
    assert connection.execute(GUARDED).fetchall() == before


def test_what_happened_is_noted(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    restore(settings, archived)
    event = partition_events.of(connection, NAME)[-1]
    assert (event.event, event.archive) == ("restored", archived)
    assert event.rows == {"SENT": 12, "FAILED": 7}


def test_a_second_run_has_nothing_to_do(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    for beside in (False, True):
        assert restore(settings, archived, beside).is_new
        events = len(partition_events.latest(connection))
        assert not restore(settings, archived, beside).is_new
        assert len(partition_events.latest(connection)) == events
    kinds = [event.event for event in partition_events.of(connection, NAME)]
    assert kinds.count(partition_events.Kind.RESTORED) == 1


def test_beside_it_is_a_table_of_its_own(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    done = restore(settings, archived, beside=True)
    assert (done.table, done.is_attached) == (BESIDE, False)
    assert differences(connection, BESIDE) == 0
    assert not is_attached(connection)
    # No command over months takes it for one.
    assert BESIDE not in [month.name for month in partitions.apart(connection)]


def test_users_erase_reaches_a_table_beside(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    restore(settings, archived, beside=True)
    person = user_of_one(connection)
    with connect(settings) as ours, ours.transaction():
        erasing.erase(ours, person)
    left = connection.execute(f"SELECT count(*) FROM {BESIDE}".encode()).fetchone()
    assert left == (len(TEXTS) - 1,)


@pytest.mark.parametrize("beside", [False, True])
def test_who_was_erased_is_not_brought_back(
    settings: Settings, connection: psycopg.Connection, archived: str, beside: bool
) -> None:
    person = user_of_one(connection)
    with connect(settings) as ours, ours.transaction():
        erasing.erase(ours, person)
    with pytest.raises(BdayschedError, match=r"^1 of the 19 messages .* --skip-erased"):
        restore(settings, archived, beside)
    assert not is_there(connection, NAME)
    assert not is_there(connection, BESIDE)
    done = restore(settings, archived, beside, skip_erased=True)
    assert (done.left_out, sum(done.rows.values())) == (1, len(TEXTS) - 1)
    connection.execute("DELETE FROM kept WHERE user_id = %s", (person,))
    assert differences(connection, done.table) == 0
    places = connection.execute("SELECT user_id FROM message_guard").fetchall()
    assert (person,) not in places
    again = restore(settings, archived, beside, skip_erased=True)
    assert (again.is_new, again.left_out) == (False, 1)


def test_a_month_that_holds_rows_is_left_alone(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    with connect(settings) as ours:
        partitions.create_month(ours, MESSAGES, MONTH)
    add_message(connection)
    with pytest.raises(BdayschedError, match=f"{NAME} is there already.*1 SCHEDULED.*--beside"):
        restore(settings, archived)
    assert connection.execute("SELECT count(*) FROM message_logs").fetchone() == (1,)
    restore(settings, archived, beside=True)
    assert differences(connection, BESIDE) == 0


def test_a_month_that_is_empty_is_replaced(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    with connect(settings) as ours:
        partitions.create_month(ours, MESSAGES, MONTH)
    assert restore(settings, archived, dry_run=True).is_new
    assert connection.execute("SELECT count(*) FROM message_logs").fetchone() == (0,)
    restore(settings, archived)
    assert differences(connection) == 0


def test_a_month_that_is_only_detached_is_attached_again(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    fill(connection)
    keep_copy(connection)
    done = archive(connection, NAME, str(tmp_path), "me")
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {NAME} CONCURRENTLY".encode())
    assert not restore(settings, done.manifest).is_new
    assert is_attached(connection)
    assert differences(connection) == 0


def test_a_date_that_has_another_message_by_now_is_refused(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    start = MONTH.plus(1).start
    person = add_user(connection)
    early, late = start - timedelta(hours=1), start + timedelta(hours=1)
    add_message(connection, early, "SENT", user_id=person, delivery_date=start.date())
    done = archive(connection, NAME, str(tmp_path), "me")
    take_away(connection)
    connection.execute("DELETE FROM message_guard")
    add_message(connection, late, "SENT", user_id=person, delivery_date=start.date())
    with pytest.raises(BdayschedError, match=r"for 1 messages .* --beside"):
        restore(settings, done.manifest)
    assert not is_there(connection, NAME)


def test_a_dry_run_changes_nothing(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    everything = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    before = set(connection.execute(everything.encode()).fetchall())
    done = restore(settings, archived, dry_run=True)
    assert (done.rows, done.is_new) == ({"SENT": 12, "FAILED": 7}, True)
    assert set(connection.execute(everything.encode()).fetchall()) == before


def test_a_column_that_is_there_by_now_takes_its_default(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    connection.execute("ALTER TABLE message_logs ADD COLUMN newer text DEFAULT 'yes'")
    restore(settings, archived)
    assert connection.execute(f"SELECT DISTINCT newer FROM {NAME}".encode()).fetchall() == [
        ("yes",)
    ]


def test_an_archive_of_another_schema_is_refused(
    settings: Settings, connection: psycopg.Connection, archived: str
) -> None:
    connection.execute("ALTER TABLE message_logs ALTER COLUMN retry_count TYPE bigint")
    connection.execute("ALTER TABLE message_logs DROP COLUMN attempts")
    version = verify(archived).schema_version
    with pytest.raises(
        BdayschedError, match=rf"schema {version}, .* retry_count \(integer\), attempts \(jsonb\)"
    ):
        restore(settings, archived)
    assert not is_there(connection, NAME)


Damage: TypeAlias = Callable[[Path], None]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def edit(old: str, new: str) -> Damage:
    def change(path: Path) -> None:
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def state(**changes: Any) -> Damage:
    """Let the manifest say something else, and vouch for it."""

    def change(path: Path) -> None:
        content = json.loads(path.read_bytes())
        del content["checksum"]
        content |= changes
        content["checksum"] = manifests._checksum(content)
        path.write_text(json.dumps(content))

    return change


@pytest.mark.parametrize(
    ("ending", "damage", "words"),
    [
        (".parquet", flip, "is damaged: its SHA-256 is not that of its manifest"),
        (".parquet", cut, "bytes, and its manifest says"),
        (".parquet", Path.unlink, "No such file"),
        (".manifest.json", flip, "is damaged|is not the manifest"),
        (".manifest.json", cut, "is not the manifest of an archive, or was cut off"),
        (".manifest.json", Path.unlink, "without its manifest nobody can tell"),
        (".manifest.json", edit('"rows": 19', '"rows": 18'), "was edited, or is damaged"),
        (".manifest.json", edit('"archived_by": "me"', '"archived_by": "you"'), "was edited"),
        (
            ".manifest.json",
            state(rows=18),
            r"has 19 rows \(7 FAILED, 12 SENT\), and its manifest says 18 ",
        ),
        (".manifest.json", state(rows_by_status={"SENT": 19}), r"its manifest says 19 \(19 SENT\)"),
        (".manifest.json", state(hash_by_status={"SENT": "0" * 16}), "a hash does not match"),
        (".manifest.json", state(table="users"), "is of the table users, not of message_logs"),
        (".manifest.json", state(ends_at="2020-01-01T00:00:00+00:00"), "which is no month"),
        (".manifest.json", state(partition="message_logs_2020_01"), "which is no month"),
        (".manifest.json", state(file="../x.parquet"), "in another folder"),
        (".manifest.json", state(manifest_version=2), "is of version 2"),
        (".manifest.json", state(rows_by_status=None), "lacks what a manifest has to say"),
        (".manifest.json", state(columns=[{"name": "id"}]), "lacks what a manifest has to say"),
        (".manifest.json", lambda path: path.write_text("[]"), "is not the manifest"),
    ],
)
def test_a_damaged_archive_is_refused_with_what_is_wrong(
    settings: Settings,
    connection: psycopg.Connection,
    archived: str,
    ending: str,
    damage: Damage,
    words: str,
) -> None:
    damage(Path(archived.replace(".manifest.json", ending)))
    with pytest.raises(BdayschedError, match=words):
        restore(settings, archived)
    assert not is_there(connection, NAME)


def test_rows_that_do_not_come_back_as_they_were_are_taken_back(
    settings: Settings,
    connection: psycopg.Connection,
    archived: str,
) -> None:
    """As a server of another version might make other generated columns."""
    connection.execute(
        "CREATE OR REPLACE FUNCTION message_key(user_id uuid, message_type text,"
        " delivery_date date) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE"
        " RETURN user_id::text || '/' || message_type"
    )
    with pytest.raises(BdayschedError, match="did not come back as they were"):
        restore(settings, archived)
    assert not is_there(connection, NAME)


@pytest.mark.parametrize("form", [csv_gzip, parquet], ids=["csv", "parquet"])
def test_a_flipped_byte_is_noticed_wherever_it_is(
    connection: psycopg.Connection,
    tmp_path: Path,
    form: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "known", lambda: [form])
    fill(connection)
    done = archive(connection, NAME, str(tmp_path), "me")
    data = Path(done.file).read_bytes()
    for place in range(0, len(data), len(data) // 50):
        damaged = bytearray(data)
        damaged[place] ^= 1
        Path(done.file).write_bytes(damaged)
        with pytest.raises(Damaged, match="SHA-256"):
            verify(done.manifest)


def test_a_name_that_is_no_archive_is_a_usage_error(settings: Settings) -> None:
    with pytest.raises(UsageError, match="is no archive: name its manifest"):
        restore(settings, "people.csv")
