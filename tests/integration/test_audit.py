"""The books, and everything that must unbalance them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.pipeline.looking.audit import Audit, audit
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES, add_message, add_user

DAY = timedelta(days=1)
TODAY = NOW.date()
# It is still today in Kiritimati.
EIGHT = NOW.replace(hour=8)
# Users exist since before the days that are audited.
LONG_AGO = "created_at = '2020-01-01', updated_at = '2020-01-01'"


@pytest.fixture(name="people")
def make_people(connection: psycopg.Connection) -> dict[str, UUID]:
    """Ten people who celebrate today, by zone; planned in the morning, and not touched since."""
    found = {
        zone: add_user(connection, zone, f"{TODAY:%m-%d}", email=f"{zone}@example.com")
        for zone in ("UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "Asia/Tehran")
    } | {f"{number}": add_user(connection, email=f"{number}@example.com") for number in range(5)}
    plan(connection, NOW - timedelta(hours=30), 2 * DAY, RULES)
    connection.execute(f"UPDATE users SET {LONG_AGO}")
    connection.execute("DELETE FROM changed_users")
    return found


def run(settings: Settings, now: datetime = EIGHT, first: date = TODAY, days: int = 1) -> Audit:
    return audit(settings, now, first, first + timedelta(days=days - 1))


def named(report: Audit) -> list[tuple[str, UUID]]:
    return [(problem.kind, problem.user_id) for problem in report.problems]


def send_everything(connection: psycopg.Connection, late: str = "2 seconds") -> None:
    connection.execute(
        "UPDATE message_logs SET status = 'SENT',"
        " actual_send_time = scheduled_send_time + %s::interval",
        (late,),
    )


def test_books_that_balance(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    send_everything(connection)
    connection.execute(
        "UPDATE message_logs SET status = 'FAILED', actual_send_time = NULL WHERE user_id = %s",
        (people["0"],),
    )
    connection.execute(
        "UPDATE message_logs SET status = 'QUEUED', actual_send_time = NULL WHERE user_id = %s",
        (people["1"],),
    )
    connection.execute(
        "UPDATE message_logs SET actual_send_time = scheduled_send_time + interval '1 hour'"
        " WHERE user_id = %s",
        (people["2"],),
    )
    report = run(settings)
    [books] = report.days
    assert report.balanced
    assert (books.eligible, books.sent, books.failed, books.pending) == (10, 8, 1, 1)
    assert books.lateness == report.lateness == (2.0, 3600.0, 3600.0)


def test_a_deleted_a_second_and_a_moved_message_are_named(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    connection.execute("DELETE FROM message_logs WHERE user_id = %s", (people["0"],))
    connection.execute("SET session_replication_role = replica")  # past the guard
    connection.execute(
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time, expires_at, created_at)"
        " SELECT user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time + interval '1 hour', expires_at, created_at + interval '1 second'"
        " FROM message_logs WHERE user_id = %s",
        (people["1"],),
    )
    connection.execute("SET session_replication_role = DEFAULT")
    connection.execute(
        "UPDATE message_logs SET scheduled_send_time = scheduled_send_time + interval '1 hour'"
        " WHERE user_id = %s",
        (people["2"],),
    )
    report = run(settings)
    assert sorted(named(report)) == sorted(
        [("gap", people["0"]), ("duplicate", people["1"]), ("moved", people["2"])]
    )
    assert report.counts == {"gap": 1, "duplicate": 1, "moved": 1}
    assert {problem.email for problem in report.problems} == {
        f"{number}@example.com" for number in range(3)
    }
    nine = NOW.replace(hour=9)
    times = {problem.kind: (problem.expected, problem.found) for problem in report.problems}
    assert times == {
        "gap": (nine, None),
        "duplicate": (nine, nine + timedelta(hours=1)),
        "moved": (nine, nine + timedelta(hours=1)),
    }
    [books] = report.days
    assert (books.eligible, books.pending, books.problems) == (10, 10, 3)


def test_a_message_that_was_moved_far_away_is_not_taken_for_a_gap(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    connection.execute(
        "UPDATE message_logs SET scheduled_send_time = scheduled_send_time + interval '40 days'"
        " WHERE user_id = %s",
        (people["3"],),
    )
    assert named(run(settings)) == [("moved", people["3"])]


def test_a_planner_that_forgot_a_zone_or_a_day(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    connection.execute(
        "DELETE FROM message_logs USING users WHERE users.id = user_id AND timezone = 'Asia/Tokyo'"
    )
    assert named(run(settings)) == [("gap", people["Asia/Tokyo"])]
    connection.execute("TRUNCATE message_logs, planned_mornings")
    assert run(settings).counts == {"gap": 10}


@pytest.mark.parametrize("status", ["SCHEDULED", "QUEUED", "SENT"])
def test_a_message_without_a_reason(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID], status: str
) -> None:
    user = people["4"]
    reference = add_message(
        connection, NOW + timedelta(hours=20), status, user_id=user, delivery_date=TODAY + DAY
    )
    connection.execute(f"UPDATE users SET {LONG_AGO}")
    connection.execute("DELETE FROM changed_users")
    report = run(settings, days=2)
    assert named(report) == [("extra", user)]
    assert report.problems[0].found == reference.scheduled_send_time


def test_a_message_that_is_pending_when_it_is_too_late(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    send_everything(connection)
    connection.execute(
        "UPDATE message_logs SET status = 'QUEUED', actual_send_time = NULL WHERE user_id = %s",
        (people["0"],),
    )
    assert run(settings).balanced
    assert named(run(settings, NOW + DAY)) == [("overdue", people["0"])]


def test_a_message_that_was_sent_before_it_was_due(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    send_everything(connection)
    connection.execute(
        "UPDATE message_logs SET actual_send_time = scheduled_send_time - interval '1 second'"
        " WHERE user_id = %s",
        (people["0"],),
    )
    assert named(run(settings)) == [("early", people["0"])]


@pytest.mark.parametrize(
    "assignment",
    [
        "timezone = 'Pacific/Auckland'",
        "birthday_date = '01-01'",
        "birthday_date = NULL",
        "deleted_at = now()",
        "first_name = 'Other'",
    ],
)
@pytest.mark.parametrize("status", ["SENT", "FAILED", "QUEUED", "SCHEDULED"])
def test_a_later_change_of_the_user_unbalances_nothing(
    settings: Settings,
    connection: psycopg.Connection,
    people: dict[str, UUID],
    assignment: str,
    status: str,
) -> None:
    connection.execute("UPDATE message_logs SET status = %s", (status,))
    connection.execute(f"UPDATE users SET {assignment} WHERE id = %s", (people["0"],))
    report = run(settings, days=3)
    assert report.balanced, report.problems
    if status == "SCHEDULED":
        plan(connection, EIGHT, 2 * DAY, RULES)
        assert run(settings, days=3).balanced


def test_a_change_that_planning_took_no_notice_of(
    settings: Settings, connection: psycopg.Connection, people: dict[str, UUID]
) -> None:
    connection.execute(
        "UPDATE users SET timezone = 'Pacific/Auckland' WHERE id = %s", (people["0"],)
    )
    connection.execute("UPDATE users SET birthday_date = '01-01' WHERE id = %s", (people["1"],))
    connection.execute("DELETE FROM changed_users")
    assert sorted(named(run(settings, days=2))) == sorted(
        [("moved", people["0"]), ("extra", people["1"])]
    )


@pytest.mark.usefixtures("people")
def test_who_came_after_the_day_or_has_just_come_is_not_missing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    late = add_user(connection)
    connection.execute("UPDATE users SET created_at = %s WHERE id = %s", (NOW + DAY, late))
    assert run(settings).balanced
    user = add_user(connection)
    connection.execute(f"UPDATE users SET {LONG_AGO} WHERE id = %s", (user,))
    report = run(settings)
    assert (report.balanced, report.days[0].pending) == (True, 11)
    # Noted, but nobody planned: when the day is over that excuses nothing.
    send_everything(connection)
    assert named(run(settings, NOW + 2 * DAY)) == [("gap", user)]


def test_days_that_need_not_be_planned_yet_are_left_out(
    settings: Settings, connection: psycopg.Connection
) -> None:
    user = add_user(connection, birthday=f"{NOW + 2 * DAY:%m-%d}")
    connection.execute(f"UPDATE users SET {LONG_AGO}")
    connection.execute("DELETE FROM changed_users")
    # 9:00 of the day after tomorrow is 49 hours away.
    soon, later = (replace(settings, schedule_horizon=hours * 3600) for hours in (49.5, 50.5))
    assert run(soon, days=3).total("eligible") == 0
    assert named(run(later, days=3)) == [("gap", user)]


def test_months_without_a_partition_are_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection, birthday=f"{NOW - 60 * DAY:%m-%d}")
    connection.execute(f"UPDATE users SET {LONG_AGO}")
    report = run(settings, first=TODAY - 60 * DAY)
    assert report.months_gone == [f"{NOW - 60 * DAY:%Y-%m}"]
    assert report.balanced


def test_only_some_are_named_but_all_are_counted(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("birthday_cli.pipeline.looking.audit._NAMED", 3)
    for _ in range(5):
        add_user(connection)
    connection.execute(f"UPDATE users SET {LONG_AGO}")
    connection.execute("DELETE FROM changed_users")
    report = run(settings)
    assert (len(report.problems), report.counts) == (3, {"gap": 5})


def test_whose_date_became_one_of_days_gone_by_missed_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    user = add_user(connection)
    set_dates = "UPDATE users SET created_at = '2020-01-01', updated_at = %s WHERE id = %s"
    connection.execute(set_dates, (NOW + DAY, user))
    connection.execute("DELETE FROM changed_users")
    assert run(settings, NOW + DAY).balanced
    connection.execute(set_dates, (NOW - DAY, user))
    connection.execute("DELETE FROM changed_users")
    assert named(run(settings, NOW + DAY)) == [("gap", user)]


def test_who_was_deleted_before_is_not_missing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection)
    connection.execute(f"UPDATE users SET {LONG_AGO}, deleted_at = '2020-01-02'")
    connection.execute("DELETE FROM changed_users")
    report = run(settings)
    assert (report.balanced, report.total("eligible")) == (True, 0)
