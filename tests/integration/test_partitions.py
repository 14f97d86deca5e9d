from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import errors, sql

from birthday_cli.config import Settings
from birthday_cli.db import partition_events, partitions
from birthday_cli.domain.months import Month
from birthday_cli.errors import MissingPartition, NotUpToDate
from birthday_cli.pipeline import retain
from birthday_cli.pipeline.partitions.months import create
from tests.facts import NOW, add_message, add_user, column

THIS = Month.of(NOW)


def months(connection: psycopg.Connection) -> list[str]:
    return [str(partition.month) for partition in partitions.existing(connection, "message_logs")]


def test_gaps_are_filled_and_a_second_run_does_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        sql.SQL("DROP TABLE {}").format(sql.Identifier(THIS.plus(4).partition_of("message_logs")))
    )
    wanted = [THIS.plus(4).partition_of("message_logs")]
    assert create(settings, NOW, 12, dry_run=True) == wanted
    assert create(settings, NOW, 12) == wanted
    assert create(settings, NOW, 12) == []
    assert months(connection) == [str(month) for month in THIS.until(THIS.plus(12))]


def test_before_migrate_it_says_so(empty_database: str) -> None:
    for command in (create, retain.expired, retain.drop):
        with pytest.raises(NotUpToDate, match="bdaysched migrate"):
            command(Settings(database_url=empty_database), NOW, 1)


def test_a_partition_made_by_hand_gets_the_guards_triggers(
    settings: Settings, connection: psycopg.Connection
) -> None:
    create(settings, NOW, 13)  # the guard's months reach further than the messages'
    month = THIS.plus(14)
    name = month.partition_of("message_logs")
    connection.execute(
        f"CREATE TABLE {name} PARTITION OF message_logs"
        f" FOR VALUES FROM ('{month.start}') TO ('{month.plus(1).start}')"
    )
    create(settings, NOW, 1)
    user = add_user(connection)
    statement = (
        f"INSERT INTO {name} (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) VALUES (%s, 'BIRTHDAY', 'x', %s, %s)"
    )
    values = (user, month.first_day, month.start + timedelta(hours=9))
    connection.execute(statement, values)
    with pytest.raises(errors.UniqueViolation):
        connection.execute(statement, values)


def test_a_month_that_was_detached_comes_back_with_its_rows(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = THIS.plus(1).partition_of("message_logs")
    message = add_message(connection, due=THIS.plus(1).start + timedelta(days=9))
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {name}")
    assert create(settings, NOW, 12) == [name]
    assert column(connection, "status", message) == "SCHEDULED"
    (event,) = partition_events.of(connection, name)[1:]
    assert event.event == "restored"


def test_what_was_made_is_noted_with_who_made_it(
    settings: Settings, connection: psycopg.Connection
) -> None:
    (name,) = [name for name in create(settings, NOW, 13) if name.startswith("message_logs")]
    (event,) = partition_events.of(connection, name)
    assert (event.event, event.done_by) == ("created", connection.info.user)


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


def has_statistics(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_stats WHERE tablename = 'message_logs' AND inherited"
    ).fetchone()
    return row != (0,)


def test_after_a_change_the_planner_knows_what_the_months_hold_together(
    settings: Settings, connection: psycopg.Connection
) -> None:
    create(settings, NOW, 13)
    assert not has_statistics(connection)
    add_message(connection)
    assert create(settings, NOW, 13) == []
    assert not has_statistics(connection)
    create(settings, NOW, 14)
    assert has_statistics(connection)


def test_statistics_that_take_too_long_are_done_without(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_LONGEST_ANALYZE_MS", 1)
    add_message(connection)
    assert create(settings, NOW, 13)


def test_a_row_for_a_month_that_is_missing_names_the_command(settings: Settings) -> None:
    from birthday_cli.db.connect import connect

    with (
        pytest.raises(MissingPartition, match="bdaysched create-partitions"),
        connect(settings) as connection,
    ):
        add_message(connection, due=NOW + timedelta(days=4_000))
