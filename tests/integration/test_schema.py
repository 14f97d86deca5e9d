"""The schema as SPEC names it, with its faults mended, in the catalog and under real statements."""

from __future__ import annotations

from zoneinfo import available_timezones

import psycopg
import pytest
from psycopg import errors

USER = """
    INSERT INTO users (first_name, last_name, email, timezone, birthday_date, anniversary_date)
    VALUES ('Ada', 'L', %(email)s, %(timezone)s, %(birthday)s, NULL)
"""


def add(
    connection: psycopg.Connection,
    timezone: str = "UTC",
    birthday: str | None = "12-30",
    email: str = "ada@example.com",
) -> None:
    connection.execute(USER, {"email": email, "timezone": timezone, "birthday": birthday})


def test_columns_are_named_as_specified(connection: psycopg.Connection) -> None:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_name IN ('users', 'message_logs')"
    ).fetchall()
    found = {name: {column for table, column in rows if table == name} for name, _ in rows}
    assert found["users"] == set(
        "id first_name last_name email timezone birthday_date anniversary_date location_city"
        " location_country created_at updated_at deleted_at".split()
    )
    specified = set(
        "id user_id message_type message_content scheduled_send_time actual_send_time status"
        " retry_count last_retry_at api_response_code api_response_body error_message"
        " idempotency_key created_at updated_at".split()
    )
    ours = set(
        "delivery_date expires_at next_attempt_at lease_expires_at lease_token attempts".split()
    )
    assert found["message_logs"] == specified | ours


def test_indexes_and_constraints_are_named_as_specified(connection: psycopg.Connection) -> None:
    indexes: dict[str, str] = dict(
        connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename IN ('users', 'message_logs') AND indexname LIKE 'idx%'"
        ).fetchall()
    )
    live = "WHERE (deleted_at IS NULL)"
    recovery = "ARRAY['SCHEDULED'::text, 'RETRYING'::text, 'FAILED'::text]"
    expected = {
        "idx_users_birthday_date": ["(birthday_date)", "birthday_date IS NOT NULL", "deleted_at"],
        "idx_users_anniversary_date": ["(anniversary_date)", "anniversary_date IS NOT NULL"],
        "idx_users_birthday_timezone": ["(birthday_date, timezone)", live],
        "idx_users_email_unique": ["UNIQUE", "(email)", live],
        # Beyond the specification: docs/deviations.md.
        "idx_users_anniversary_timezone": ["(anniversary_date, timezone)", live],
        "idx_message_logs_user_id": ["(user_id)"],
        "idx_message_logs_status": ["(status)"],
        "idx_message_logs_scheduled_time": ["(scheduled_send_time)"],
        "idx_message_logs_scheduler": ["(message_type, status, scheduled_send_time)"],
        "idx_message_logs_recovery": ["(scheduled_send_time, status)", recovery],
        "idx_message_logs_idempotency": ["UNIQUE", "(idempotency_key, scheduled_send_time)"],
    }
    assert indexes.keys() == expected.keys()
    for name, parts in expected.items():
        for part in parts:
            assert part in indexes[name]
    rows = connection.execute(
        "SELECT conname FROM pg_constraint WHERE conname LIKE 'check%'"
        " AND (conrelid = 'users'::regclass OR conrelid = 'message_logs'::regclass)"
    ).fetchall()
    assert {name for (name,) in rows} == {
        "check_timezone_format",
        "check_message_status",
        "check_message_type",
        "check_retry_count_positive",
    }


def test_every_zone_that_zoneinfo_knows_is_accepted(connection: psycopg.Connection) -> None:
    # "localtime" is a link that some systems add for their own zone; it names none.
    known = available_timezones() - {"localtime"}
    assert len(known) > 590
    for number, name in enumerate(sorted(known)):
        add(connection, timezone=name, email=f"{number}@example.com")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe/Berlin ", "PST8PDT8", "+02:00", "é"])
def test_anything_else_is_refused_as_a_zone(connection: psycopg.Connection, name: str) -> None:
    with pytest.raises((errors.ForeignKeyViolation, errors.CheckViolation)):
        add(connection, timezone=name)


def test_the_query_of_the_specification_works_as_written(connection: psycopg.Connection) -> None:
    add(connection, birthday="12-30")
    found = connection.execute("SELECT first_name FROM users WHERE birthday_date = '12-30'")
    assert found.fetchall() == [("Ada",)]


def test_29_february_exists_and_30_does_not(connection: psycopg.Connection) -> None:
    add(connection, birthday="02-29")
    for wrong in ("02-30", "04-31", "13-01", "00-01", "1-1", "2000-01-01", ""):
        with pytest.raises(errors.CheckViolation):
            add(connection, birthday=wrong, email="other@example.com")


def test_an_email_is_unique_among_those_who_are_not_deleted(connection: psycopg.Connection) -> None:
    add(connection)
    with pytest.raises(errors.UniqueViolation):
        add(connection)
    connection.execute("UPDATE users SET deleted_at = now()")
    add(connection)


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Pacific/Honolulu", "UTC"])
def test_bounds_of_months_are_utc_whatever_the_session(
    connection: psycopg.Connection, zone: str
) -> None:
    connection.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
    rows = connection.execute(
        "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class"
        " WHERE relispartition AND relkind = 'r' AND relname LIKE 'message_logs_%'"
    ).fetchall()
    assert len(rows) == 13
    for name, bound in rows:
        start = bound.split("'")[1]
        year, month = name.split("_")[-2:]
        at = connection.execute(
            "SELECT %s::timestamptz = make_timestamptz(%s, %s, 1, 0, 0, 0, 'UTC')",
            (start, int(year), int(month)),
        ).fetchone()
        assert at == (True,)


def test_a_hard_delete_of_a_user_takes_the_messages_along(connection: psycopg.Connection) -> None:
    add(connection)
    connection.execute(
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) SELECT id, 'BIRTHDAY', 'x', now()::date, now() FROM users"
    )
    connection.execute("DELETE FROM users")
    for table in ("message_logs", "message_guard"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
