"""Two rows for one user, type and local date: tried in every way that a row can come in."""

from __future__ import annotations

import subprocess
import threading
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from birthday_cli.domain.months import Month

NOW = datetime.now(UTC)
THIS_MONTH, NEXT_MONTH = Month.of(NOW), Month.of(NOW).plus(1)
DAY = THIS_MONTH.start.replace(day=15)
PARTITION = THIS_MONTH.partition_of("message_logs")

INSERT = """
    INSERT INTO {table} (user_id, message_type, message_content, delivery_date, scheduled_send_time)
    VALUES ('{user}', 'BIRTHDAY', 'hello', '{day:%Y-%m-%d}', '{at:%Y-%m-%d %H:%M}Z')
"""


def insert(user: UUID, at: datetime, table: str = "message_logs", day: datetime = DAY) -> str:
    return INSERT.format(table=table, user=user, day=day, at=at)


@pytest.fixture
def user(connection: psycopg.Connection) -> UUID:
    row = connection.execute(
        "INSERT INTO users (first_name, last_name, email, timezone, birthday_date)"
        " VALUES ('Ada', 'L', 'ada@example.com', 'Europe/London', '12-10') RETURNING id"
    ).fetchone()
    assert row
    found: UUID = row[0]
    return found


def rows(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM message_logs").fetchone()
    assert row
    count: int = row[0]
    return count


NINE, TEN = DAY.replace(hour=9), DAY.replace(hour=10)
NEXT = NEXT_MONTH.start.replace(hour=9)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(("message_logs", NINE), id="same time"),
        pytest.param(("message_logs", TEN), id="another time"),
        pytest.param(("message_logs", NEXT), id="another month"),
        pytest.param((PARTITION, TEN), id="straight into the partition"),
        pytest.param((NEXT_MONTH.partition_of("message_logs"), NEXT), id="into another partition"),
    ],
)
@pytest.mark.parametrize("first", ["message_logs", PARTITION])
def test_a_raw_second_insert_is_refused(
    connection: psycopg.Connection, user: UUID, first: str, second: tuple[str, datetime]
) -> None:
    connection.execute(insert(user, NINE, table=first))
    table, at = second
    with pytest.raises(errors.UniqueViolation):
        connection.execute(insert(user, at, table=table))
    assert rows(connection) == 1


def test_typed_into_psql_it_is_refused_too(
    connection: psycopg.Connection, database: str, user: UUID
) -> None:
    def psql(statement: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["psql", database, "-X", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True,
            text=True,
        )

    assert psql(insert(user, NINE)).returncode == 0
    for table, at in (("message_logs", TEN), (PARTITION, TEN)):
        refused = psql(insert(user, at, table=table))
        assert refused.returncode != 0
        assert "duplicate key value violates unique constraint" in refused.stderr
    assert rows(connection) == 1


@pytest.mark.parametrize("table", ["message_logs", PARTITION])
def test_copy_is_refused(connection: psycopg.Connection, user: UUID, table: str) -> None:
    connection.execute(insert(user, NINE))
    with (
        pytest.raises(errors.UniqueViolation),
        connection.cursor().copy(
            f"COPY {table} (user_id, message_type, message_content, delivery_date,"
            " scheduled_send_time) FROM STDIN"
        ) as copy,
    ):
        copy.write_row((user, "BIRTHDAY", "hello", DAY.date(), TEN))
    assert rows(connection) == 1


def test_two_in_one_statement_are_refused(connection: psycopg.Connection, user: UUID) -> None:
    values = insert(user, NINE).partition("VALUES")[2]
    with pytest.raises(errors.UniqueViolation):
        connection.execute(f"{insert(user, TEN)}, {values}")
    assert rows(connection) == 0


def test_of_many_sessions_at_once_one_gets_through(
    connection: psycopg.Connection, database: str, user: UUID
) -> None:
    count = 12
    start, outcomes = threading.Barrier(count), list[str]()

    def session(number: int) -> None:
        table = ("message_logs", PARTITION)[number % 2]
        with psycopg.connect(database, autocommit=True) as own:
            start.wait()
            try:
                own.execute(insert(user, DAY.replace(hour=number), table=table))
                outcomes.append("inserted")
            except errors.UniqueViolation:
                outcomes.append("refused")

    threads = [threading.Thread(target=session, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["inserted"] + ["refused"] * (count - 1)
    assert rows(connection) == 1


def test_a_second_writer_waits_for_the_first_and_may_insert_if_it_rolls_back(
    connection: psycopg.Connection, database: str, user: UUID
) -> None:
    with psycopg.connect(database) as first:
        first.execute(insert(user, NINE))
        connection.execute("SET lock_timeout = '200ms'")
        with pytest.raises(errors.LockNotAvailable):
            connection.execute(insert(user, TEN))
        first.rollback()
        connection.execute(insert(user, TEN))
    assert rows(connection) == 1


def test_a_row_that_moves_to_another_month_keeps_its_place(
    connection: psycopg.Connection, user: UUID
) -> None:
    connection.execute(insert(user, NINE))
    moved = connection.execute("UPDATE message_logs SET scheduled_send_time = %s", (NEXT,))
    assert moved.rowcount == 1
    with pytest.raises(errors.UniqueViolation):
        connection.execute(insert(user, NINE))


@pytest.mark.parametrize("table", ["message_logs", PARTITION])
@pytest.mark.parametrize(
    "change",
    [
        "delivery_date = delivery_date + 1",
        "message_type = 'ANNIVERSARY'",
        "user_id = gen_random_uuid()",
        "delivery_date = delivery_date + 31, scheduled_send_time = scheduled_send_time + '31 days'",
    ],
)
def test_the_key_of_a_row_cannot_be_updated(
    connection: psycopg.Connection, user: UUID, table: str, change: str
) -> None:
    connection.execute(insert(user, NINE))
    with pytest.raises(errors.IntegrityConstraintViolation, match="cannot be updated"):
        connection.execute(f"UPDATE {table} SET {change}")


def test_the_idempotency_key_is_user_type_and_local_date(
    connection: psycopg.Connection, user: UUID
) -> None:
    connection.execute("SET DateStyle = 'German'")
    connection.execute(insert(user, NINE))
    row = connection.execute("SELECT idempotency_key FROM message_logs").fetchone()
    assert row == (f"{user}:BIRTHDAY:{DAY:%Y-%m-%d}",)


def test_a_planned_row_that_was_deleted_may_be_planned_again(
    connection: psycopg.Connection, user: UUID
) -> None:
    connection.execute(insert(user, NINE))
    connection.execute("DELETE FROM message_logs")
    connection.execute(insert(user, TEN))
    connection.execute(f"DELETE FROM {PARTITION}")
    connection.execute(insert(user, NINE, table=PARTITION))
    assert rows(connection) == 1


@pytest.mark.parametrize("status", ["QUEUED", "SENDING", "SENT", "FAILED", "RETRYING"])
def test_deleting_a_row_that_was_under_way_does_not_allow_another(
    connection: psycopg.Connection, user: UUID, status: str
) -> None:
    connection.execute(insert(user, NINE))
    connection.execute("UPDATE message_logs SET status = %s", (status,))
    connection.execute("DELETE FROM message_logs")
    with pytest.raises(errors.UniqueViolation):
        connection.execute(insert(user, TEN))


def test_another_type_and_another_day_are_other_messages(
    connection: psycopg.Connection, user: UUID
) -> None:
    connection.execute(insert(user, NINE))
    connection.execute(insert(user, NINE).replace("BIRTHDAY", "ANNIVERSARY"))
    connection.execute(insert(user, TEN, day=DAY.replace(day=16)))
    assert rows(connection) == 3


def test_the_writer_needs_no_rights_on_the_guard(
    connection: psycopg.Connection, user: UUID
) -> None:
    role = f"writer_{user.hex}"
    connection.execute(f"CREATE ROLE {role}")
    try:
        connection.execute(f"GRANT INSERT, SELECT ON message_logs TO {role}")
        connection.execute(f"SET ROLE {role}")
        connection.execute(insert(user, NINE))
        with pytest.raises(errors.UniqueViolation):
            connection.execute(insert(user, TEN))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM message_guard")
    finally:
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")
