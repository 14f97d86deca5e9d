from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest

from birthday_cli.db import partitions
from birthday_cli.domain import send_time, zones
from birthday_cli.domain.month_day import LeapRule
from birthday_cli.errors import MissingPartition
from birthday_cli.pipeline import plan as planning
from birthday_cli.pipeline.partitions import months
from tests.facts import NOW, RULES, add_user, planned, statuses

TWO_DAYS = timedelta(hours=48)


def plan(
    connection: psycopg.Connection,
    now: datetime = NOW,
    horizon: timedelta = TWO_DAYS,
    rule: LeapRule = LeapRule.FEB_28,
) -> int:
    rules = replace(RULES, leap_rule=rule)
    return sum(planning.plan(connection, now, horizon, rules).new.values())


def test_each_zone_gets_its_own_nine_o_clock(connection: psycopg.Connection) -> None:
    tomorrow = NOW + timedelta(days=1)
    for name in sorted(zones.names()):
        add_user(connection, timezone=name, birthday=f"{tomorrow:%m-%d}")
    assert plan(connection) == len(zones.names())
    rows = connection.execute(
        "SELECT users.timezone, delivery_date, scheduled_send_time, expires_at"
        " FROM message_logs JOIN users ON users.id = user_id"
    ).fetchall()
    for name, day, send_at, expires_at in rows:
        zone = zones.load(name)
        assert day == tomorrow.date()
        assert send_at == send_time.instant(day, time(9), zone)
        assert expires_at == send_time.end_of_local_day(send_at, zone)


def test_planning_again_adds_nothing(connection: psycopg.Connection) -> None:
    add_user(connection)
    assert plan(connection) == 1
    assert plan(connection) == 0
    assert plan(connection, now=NOW + timedelta(hours=1)) == 0
    assert statuses(connection) == {"SCHEDULED": 1}


def test_the_horizon_bounds_what_is_planned(connection: psycopg.Connection) -> None:
    for days in range(5):
        add_user(connection, birthday=f"{NOW + timedelta(days=days):%m-%d}")
    plan(connection, horizon=timedelta(hours=45))
    # It is 12:00: today's 9:00 is late, tomorrow's and the next day's lie within 45 hours.
    assert [day - NOW.date() for day, _, _ in planned(connection)] == [
        timedelta(days=0),
        timedelta(days=1),
        timedelta(days=2),
    ]


def test_the_users_own_day_counts_until_it_is_over(connection: psycopg.Connection) -> None:
    noon = NOW
    assert noon.hour == 12
    kiritimati = add_user(connection, "Pacific/Kiritimati", f"{noon:%m-%d}")  # there it is tomorrow
    honolulu = add_user(connection, "Pacific/Honolulu", f"{noon - timedelta(days=1):%m-%d}")
    london = add_user(connection, "UTC", f"{noon:%m-%d}")
    plan(connection)
    rows = connection.execute("SELECT user_id FROM message_logs").fetchall()
    assert [user for (user,) in rows] == [london]
    assert kiritimati
    assert honolulu


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (LeapRule.FEB_28, [date(2027, 2, 28)]),
        (LeapRule.MAR_1, [date(2027, 3, 1)]),
        (LeapRule.SKIP, []),
    ],
)
def test_29_february_in_a_common_year(
    connection: psycopg.Connection, rule: LeapRule, expected: list[date]
) -> None:
    now = datetime(2027, 2, 27, tzinfo=UTC)
    months.create_locked(connection, now, 1)
    add_user(connection, birthday="02-29")
    plan(connection, now=now, horizon=timedelta(days=4), rule=rule)
    assert [day for day, _, _ in planned(connection)] == expected


def test_29_february_in_a_leap_year(connection: psycopg.Connection) -> None:
    now = datetime(2028, 2, 27, tzinfo=UTC)
    months.create_locked(connection, now, 1)
    add_user(connection, birthday="02-29")
    plan(connection, now=now, horizon=timedelta(days=4))
    assert [day for day, _, _ in planned(connection)] == [date(2028, 2, 29)]


def test_a_month_that_ends_between_local_date_and_instant(connection: psycopg.Connection) -> None:
    first = (NOW.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0)
    last_day = first - timedelta(days=1)
    add_user(connection, "Pacific/Kiritimati", f"{first:%m-%d}")
    plan(connection, now=last_day)
    row = connection.execute(
        "SELECT tableoid::regclass::text, delivery_date FROM message_logs"
    ).fetchone()
    assert row == (f"message_logs_{last_day:%Y_%m}", first.date())
    guard = connection.execute("SELECT tableoid::regclass::text FROM message_guard").fetchone()
    assert guard == (f"message_guard_{first:%Y_%m}",)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_at_both_ends_of_the_months_there_is_a_guard_for_every_local_date(
    connection: psycopg.Connection, zone: str
) -> None:
    months = [partition.month for partition in partitions.existing(connection, "message_logs")]
    guards = [partition.month for partition in partitions.existing(connection, "message_guard")]
    for instant in (months[0].start, months[-1].plus(1).start - timedelta(minutes=1)):
        local = instant.astimezone(zones.load(zone)).date()
        assert guards[0].first_day <= local < guards[-1].plus(1).first_day


def test_a_missing_month_is_named_with_the_command_that_makes_it(
    connection: psycopg.Connection,
) -> None:
    last = partitions.existing(connection, "message_logs")[-1].month
    now = last.plus(1).start - timedelta(days=1)
    add_user(connection, birthday=f"{now + timedelta(days=1):%m-%d}")
    with pytest.raises(MissingPartition) as missing:
        plan(connection, now=now)
    assert str(last.plus(1)) in str(missing.value)
    assert "bdaysched create-partitions 1" in str(missing.value)
    assert statuses(connection) == {}
    months.create_locked(connection, now, 1)
    assert plan(connection, now=now) == 1


def test_both_types_with_their_texts_and_deleted_users_left_out(
    connection: psycopg.Connection,
) -> None:
    today = f"{NOW:%m-%d}"
    add_user(connection, birthday=today, anniversary=today, first_name="Ann", last_name="Lee")
    gone = add_user(connection, birthday=today)
    connection.execute("UPDATE users SET deleted_at = now() WHERE id = %s", (gone,))
    # So that it is the morning's own statement that has to find them.
    connection.execute("DELETE FROM changed_users")
    assert planning.plan(connection, NOW, TWO_DAYS, RULES).new == {
        "BIRTHDAY": 1,
        "ANNIVERSARY": 1,
    }
    assert [text for _, _, text in planned(connection)] == [
        "Happy anniversary, Ann Lee!",
        "Happy birthday, Ann Lee!",
    ]


@pytest.mark.parametrize(
    "name", ["{last_name}", "O'Brien", '"; --', "%s %(x)s", "\\n", "🎂", "שלום", "x" * 10_000]
)
def test_any_text_in_a_name_stays_what_it_is(connection: psycopg.Connection, name: str) -> None:
    add_user(connection, first_name=name, last_name="Lee")
    plan(connection)
    assert [text for _, _, text in planned(connection)] == [f"Happy birthday, {name} Lee!"]


def test_a_dry_run_counts_and_leaves_nothing(connection: psycopg.Connection) -> None:
    add_user(connection)
    counts = planning.plan(connection, NOW, TWO_DAYS, RULES, dry_run=True).new
    assert counts == {"BIRTHDAY": 1, "ANNIVERSARY": 0}
    assert statuses(connection) == {}
