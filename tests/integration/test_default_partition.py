"""A default partition of an adopted database: its rows get their months, and are always seen."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db import default_partition, partition_events, partitions
from birthday_cli.db.partitions import MESSAGES
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError, Locked
from birthday_cli.pipeline.partitions.months import create
from birthday_cli.pipeline.partitions.runway import lengthen
from birthday_cli.pipeline.retain import drop
from tests.facts import NOW, add_message, add_user, column, statuses

DEFAULT = "message_logs_default"
FAR = Month.of(NOW).plus(20)
NAMES = [FAR.plus(months).partition_of(MESSAGES) for months in range(3)]


@pytest.fixture
def adopted(connection: psycopg.Connection, settings: Settings) -> Settings:
    """A database with a default partition that holds the messages of three months."""
    create(settings, FAR.plus(3).start, 0)
    for name in (*NAMES, FAR.plus(3).partition_of(MESSAGES)):
        connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
    for month in (FAR, FAR.plus(1), FAR.plus(2)):
        if month not in [guard.month for guard in partitions.existing(connection, "message_guard")]:
            partitions.create_month(connection, "message_guard", month)
    connection.execute(f"CREATE TABLE {DEFAULT} PARTITION OF message_logs DEFAULT".encode())
    for months, status in enumerate(("SENT", "SCHEDULED", "SENT", "RETRYING", "FAILED", "SENT")):
        add_message(connection, due=FAR.plus(months % 3).start + timedelta(hours=9), status=status)
    return settings


def rows(connection: psycopg.Connection, table: str = MESSAGES) -> list[Any]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY id".encode()).fetchall()


def test_its_rows_are_in_their_months_and_it_is_no_part_any_more(
    adopted: Settings, connection: psycopg.Connection
) -> None:
    before = rows(connection)
    expected = create(adopted, NOW, 1, dry_run=True)
    assert rows(connection, DEFAULT) == before
    assert create(adopted, NOW, 1) == expected == NAMES
    assert rows(connection) == before
    assert partitions.default_of_messages(connection) is None
    for name in NAMES:
        assert len(rows(connection, name)) == 2
        assert partition_events.latest(connection)[name].event == "created"
    # What it held stays there, and belongs to nothing.
    assert rows(connection, DEFAULT) == before
    assert create(adopted, NOW, 1) == []


def test_what_the_rows_promise_holds_in_their_months(
    adopted: Settings, connection: psycopg.Connection
) -> None:
    create(adopted, NOW, 1)
    user: Any
    day: Any
    ((user, day, at),) = connection.execute(
        "SELECT user_id, delivery_date, scheduled_send_time FROM message_logs"
        " WHERE status = 'SCHEDULED'"
    ).fetchall()
    with pytest.raises(errors.UniqueViolation):
        add_message(connection, due=at, delivery_date=day, user_id=user)
    # Nothing that befalls the table that was left makes a place free.
    connection.execute(f"DELETE FROM {DEFAULT}".encode())
    with pytest.raises(errors.UniqueViolation):
        add_message(connection, due=at, delivery_date=day, user_id=user)
    connection.execute("DELETE FROM message_logs WHERE user_id = %s", (user,))
    add_message(connection, due=at, delivery_date=day, user_id=user)
    with pytest.raises(errors.ForeignKeyViolation):
        add_message(connection, due=FAR.start, user_id=uuid4())


def test_in_small_batches_while_others_write_and_every_message_is_seen_once_all_the_time(
    adopted: Settings,
    connection: psycopg.Connection,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(default_partition, "BATCH", 1)
    begun, stop = threading.Event(), threading.Event()
    counts: set[int] = set()
    written: list[Any] = []

    def work() -> None:
        with psycopg.connect(database, autocommit=True) as other:
            fresh = [FAR, FAR.plus(1), FAR.plus(2), FAR.plus(5)]
            while not stop.is_set():
                (count,) = other.execute("SELECT count(*) FROM message_logs").fetchone() or (0,)
                counts.add(count - len(written))
                month = fresh[len(written) % 4]
                if len(written) < 40:
                    due = month.start + timedelta(days=3)
                    written.append(add_message(other, due=due, status="QUEUED"))
                if len(written) == 4:
                    begun.set()
                for reference in written[::2]:
                    other.execute(
                        "UPDATE message_logs SET status = 'SENDING', retry_count = retry_count + 1"
                        " WHERE id = %s",
                        (reference.id,),
                    )

    partitions.create_month(connection, "message_guard", FAR.plus(5))
    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert begun.wait(60)
        create(adopted, NOW, 1)
    finally:
        stop.set()
        worker.join()
    assert counts == {6}
    assert partitions.default_of_messages(connection) is None
    assert sum(statuses(connection).values()) == 6 + len(written)
    for reference in written[::2]:
        assert column(connection, "status", reference) == "SENDING"
    assert FAR.plus(5) in [month.month for month in partitions.existing(connection, MESSAGES)]


@pytest.mark.parametrize("step", ["_prepare", "_copy", "_hand_over"])
def test_interrupted_at_any_step_the_next_run_goes_on(
    adopted: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    before = rows(connection)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(default_partition, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            create(adopted, NOW, 1)
    assert rows(connection) == before
    connection.execute("UPDATE message_logs SET retry_count = 7")
    message = add_message(connection, due=FAR.start + timedelta(days=2))
    connection.execute("DELETE FROM message_logs WHERE status = 'FAILED'")
    before = rows(connection)
    create(adopted, NOW, 1)
    assert rows(connection) == before
    assert column(connection, "tableoid::regclass::text", message) == NAMES[0]


def test_while_it_is_there_no_month_is_detached_and_the_command_is_named(
    adopted: Settings,
) -> None:
    with pytest.raises(BdayschedError, match=f"{DEFAULT}: run `bdaysched create-partitions 12`"):
        drop(adopted, FAR.plus(4).start, 1)


def test_schedule_does_not_begin_to_move_it(
    adopted: Settings, connection: psycopg.Connection
) -> None:
    from birthday_cli.db.connect import connect

    with connect(adopted) as ours:
        assert lengthen(ours, adopted, FAR.start) == []
    assert partitions.default_of_messages(connection) == DEFAULT


def test_a_row_that_belongs_to_no_month_is_named_before_anything_is_done(
    adopted: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) VALUES (%s, 'BIRTHDAY', 'Happy birthday!', %s, 'infinity')",
        (add_user(connection), FAR.first_day),
    )
    with pytest.raises(BdayschedError, match=f"{DEFAULT} holds messages whose scheduled_send_time"):
        create(adopted, NOW, 1)
    assert connection.execute("SELECT to_regclass('message_logs_moving')").fetchone() == (None,)


def test_a_long_reader_makes_it_give_up_and_not_others_wait(
    adopted: Settings, connection: psycopg.Connection, database: str
) -> None:
    before = rows(connection)
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        with pytest.raises(Locked, match=r"has used message_logs"):
            create(adopted, NOW, 1, wait=0)
    assert rows(connection) == before
    create(adopted, NOW, 1)
    assert rows(connection) == before
