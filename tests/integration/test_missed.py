"""Who is added on the day or later, and days on which nothing ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from birthday_cli.domain.rules import Rules
from birthday_cli.pipeline.plan import Planned
from birthday_cli.pipeline.plan import plan as plan_messages
from tests.facts import NOW, RULES, add_user, planned, statuses

DAY = timedelta(days=1)
MORNING = NOW.replace(hour=8)


def plan(connection: psycopg.Connection, now: datetime = NOW, rules: Rules = RULES) -> Planned:
    return plan_messages(connection, now, 2 * DAY, rules)


@pytest.mark.parametrize(
    ("hour", "lateness", "status"),
    [
        (8, None, "SCHEDULED"),
        (10, None, "SCHEDULED"),
        (10, timedelta(hours=2), "SCHEDULED"),
        (10, timedelta(minutes=30), "FAILED"),
    ],
)
def test_a_user_who_is_added_on_the_day(
    connection: psycopg.Connection, hour: int, lateness: timedelta | None, status: str
) -> None:
    plan(connection, NOW.replace(hour=1), rules=replace(RULES, max_lateness=lateness))
    add_user(connection)
    done = plan(connection, NOW.replace(hour=hour), rules=replace(RULES, max_lateness=lateness))
    assert done.new["BIRTHDAY"] == 1
    assert done.missed == (status == "FAILED")
    assert statuses(connection) == {status: 1}
    assert planned(connection)[0][1] == NOW.replace(hour=9)
    if status == "FAILED":
        row = connection.execute("SELECT error_message FROM message_logs").fetchone()
        assert row == (f"missed: it was planned at {NOW:%Y-%m-%d}T10:00Z, when it was too late",)


def test_a_user_who_is_added_the_day_after_missed_nothing(connection: psycopg.Connection) -> None:
    plan(connection, MORNING)
    plan(connection, MORNING + DAY)
    add_user(connection)
    assert plan(connection, MORNING + DAY) == Planned({"BIRTHDAY": 0, "ANNIVERSARY": 0})


def test_a_user_who_was_added_while_nothing_ran_is_missed(connection: psycopg.Connection) -> None:
    plan(connection, MORNING)
    add_user(connection)
    connection.execute("UPDATE changed_users SET changed_at = changed_at - interval '30 hours'")
    done = plan(connection, MORNING + timedelta(hours=36))
    assert (done.missed, statuses(connection)) == (1, {"FAILED": 1})


def test_days_on_which_nothing_ran_are_recorded_as_missed(connection: psycopg.Connection) -> None:
    users = [add_user(connection, "Asia/Tokyo", f"{NOW + count * DAY:%m-%d}") for count in range(9)]
    connection.execute("UPDATE users SET created_at = '2020-01-01'")
    late = add_user(connection, "Asia/Tokyo", f"{NOW + 4 * DAY:%m-%d}")
    connection.execute("UPDATE users SET created_at = %s WHERE id = %s", (NOW + 5 * DAY, late))
    # It is 21:00 there: the last morning within 48 hours is that of the day after tomorrow.
    assert plan(connection).new["BIRTHDAY"] == 3
    back = NOW + 6 * DAY
    done = plan(connection, back)
    assert (done.missed, done.new["BIRTHDAY"]) == (3, 6)
    rows = connection.execute(
        "SELECT user_id FROM message_logs WHERE status = 'FAILED' AND error_message LIKE 'missed%'"
        " ORDER BY delivery_date"
    ).fetchall()
    assert [user for (user,) in rows] == users[3:6]
    assert plan(connection, back) == Planned({"BIRTHDAY": 0, "ANNIVERSARY": 0})


def test_missed_days_whose_month_is_gone_are_named(connection: psycopg.Connection) -> None:
    add_user(connection, birthday=f"{NOW - 40 * DAY:%m-%d}")
    plan(connection, NOW - 2 * DAY)
    connection.execute(
        "UPDATE planned_mornings SET delivery_date = delivery_date - 60,"
        " scheduled_send_time = scheduled_send_time - interval '60 days'"
    )
    done = plan(connection)
    last_month = NOW.replace(day=1) - DAY
    assert f"{last_month:%Y-%m}" in done.lost_months
    assert statuses(connection) == {}
    assert plan(connection).lost_months == []
