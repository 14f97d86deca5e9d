from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import errors, sql

from birthday_cli.config import Settings
from birthday_cli.db import partitions
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError, MissingPartition, NotUpToDate
from birthday_cli.pipeline import retain
from tests.facts import NOW, add_message, add_user

THIS = Month.of(NOW)
LATER = THIS.plus(3).start + timedelta(days=14)


def months(connection: psycopg.Connection) -> list[str]:
    return [str(partition.month) for partition in partitions.existing(connection, "message_logs")]


def test_gaps_are_filled_and_a_second_run_does_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        sql.SQL("DROP TABLE {}").format(sql.Identifier(THIS.plus(4).partition_of("message_logs")))
    )
    wanted = [THIS.plus(4).partition_of("message_logs")]
    assert retain.create(settings, NOW, 12, dry_run=True) == wanted
    assert retain.create(settings, NOW, 12) == wanted
    assert retain.create(settings, NOW, 12) == []
    assert months(connection) == [str(month) for month in THIS.until(THIS.plus(12))]


def test_before_migrate_it_says_so(empty_database: str) -> None:
    for command in (retain.create, retain.expired, retain.drop):
        with pytest.raises(NotUpToDate, match="bdaysched migrate"):
            command(Settings(database_url=empty_database), NOW, 1)


def test_a_partition_made_by_hand_gets_the_guards_triggers(
    settings: Settings, connection: psycopg.Connection
) -> None:
    retain.create(settings, NOW, 13)  # the guard's months reach further than the messages'
    month = THIS.plus(14)
    name = month.partition_of("message_logs")
    connection.execute(
        f"CREATE TABLE {name} PARTITION OF message_logs"
        f" FOR VALUES FROM ('{month.start}') TO ('{month.plus(1).start}')"
    )
    retain.create(settings, NOW, 1)
    user = add_user(connection)
    statement = (
        f"INSERT INTO {name} (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) VALUES (%s, 'BIRTHDAY', 'x', %s, %s)"
    )
    values = (user, month.first_day, month.start + timedelta(hours=9))
    connection.execute(statement, values)
    with pytest.raises(errors.UniqueViolation):
        connection.execute(statement, values)


def test_a_month_is_guarded_from_its_first_moment(connection: psycopg.Connection) -> None:
    month = THIS.plus(13)
    partitions.create_month(connection, partitions.MESSAGES, month)
    triggers = connection.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
        (month.partition_of("message_logs"),),
    ).fetchall()
    assert {name for (name,) in triggers} == {
        "take_message_guard",
        "release_message_guard",
        "refuse_message_key_change",
    }


def test_old_months_are_dropped_and_their_dates_stay_taken(
    settings: Settings, connection: psycopg.Connection
) -> None:
    sent = add_message(connection, status="SENT")
    add_message(connection, status="FAILED")
    found = retain.expired(settings, LATER, 1)
    assert [month.partition for month in found] == [
        THIS.partition_of("message_logs"),
        THIS.plus(1).partition_of("message_logs"),
    ]
    assert found[0].rows == {"FAILED": 1, "SENT": 1}
    user = connection.execute(
        "SELECT user_id FROM message_logs WHERE id = %s", (sent.id,)
    ).fetchone()
    assert user
    assert retain.drop(settings, LATER, 1) == found
    assert months(connection)[0] == str(THIS.plus(2))
    assert retain.drop(settings, LATER, 1) == []
    retain.create(settings, NOW, 1)
    with pytest.raises(errors.UniqueViolation):
        add_message(connection, user_id=user[0])


def test_a_month_with_unfinished_messages_is_kept_unless_forced(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, status="RETRYING")
    with pytest.raises(BdayschedError, match="1 messages that are neither"):
        retain.drop(settings, LATER, 1)
    assert months(connection)[0] == str(THIS)
    assert len(retain.drop(settings, LATER, 1, force=True)) == 2


def test_an_interrupted_drop_is_completed(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = THIS.partition_of("message_logs")
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY")
    dropped = retain.drop(settings, LATER, 1)
    assert {month.partition for month in dropped} >= {name}
    row = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
    assert row == (None,)


def test_an_interrupted_detach_is_completed(connection: psycopg.Connection, database: str) -> None:
    name = THIS.partition_of("message_logs")
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(errors.QueryCanceled):
            connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY")
    pending = partitions.existing(connection, "message_logs")[0]
    assert (pending.name, pending.state) == (name, partitions.State.PENDING)
    with psycopg.connect(database) as reader:
        # Dropping it as it is would wait for every reader of the whole table.
        reader.execute("SELECT count(*) FROM message_logs")
        partitions.drop(connection, pending)
    assert str(THIS) not in months(connection)


def test_a_row_for_a_month_that_is_missing_names_the_command(settings: Settings) -> None:
    from birthday_cli.db.connect import connect

    with (
        pytest.raises(MissingPartition, match="bdaysched create-partitions"),
        connect(settings) as connection,
    ):
        add_message(connection, due=NOW + timedelta(days=4_000))
