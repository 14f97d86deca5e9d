from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.domain import rules as ruling
from birthday_cli.domain import send_time, zones
from birthday_cli.domain.month_day import celebrated_on
from birthday_cli.pipeline.looking.forecast import Forecast, forecast
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, add_user

FEBRUARY = datetime.fromisoformat("2027-02-20T09:00Z")
ALL = 1_000_000


def look_ahead(
    settings: Settings,
    now: datetime = FEBRUARY,
    days: int = 365,
    rate: float = 1000,
    top: int = ALL,
) -> Forecast:
    return forecast(settings, now, days, rate, 60, top)


def some_users(connection: psycopg.Connection, random_seed: int) -> list[tuple[str, str, str]]:
    """Add users with dates around leap days and changes of clocks; return who they are."""
    rng = Random(random_seed)
    names = sorted(zones.names())
    dates = ["02-20", "02-27", "02-28", "02-29", "03-01", "03-14", "03-28", "12-31", "01-01"]
    users = [(rng.choice(names), rng.choice(dates), rng.choice(dates)) for _ in range(200)]
    for user in users:
        add_user(connection, *user)
    return users


@pytest.mark.parametrize("rule", ["feb-28", "mar-1", "skip"])
def test_every_minute_is_what_reckoning_user_by_user_gives(
    settings: Settings, connection: psycopg.Connection, rule: str
) -> None:
    users = some_users(connection, 1)
    settings = replace(settings, leap_day=rule)
    rules, until = ruling.of(settings), FEBRUARY + timedelta(days=365)
    expected: dict[datetime, Counter[str]] = {}
    for count in range(-2, 368):
        day = (FEBRUARY + timedelta(days=count)).date()
        for name, *month_days in users:
            for message_type, month_day in zip(rules.message_types, month_days, strict=True):
                if month_day not in celebrated_on(day, rules.leap_rule):
                    continue
                at = send_time.instant(day, message_type.send_at, zones.load(name))
                if FEBRUARY <= at < until:
                    expected.setdefault(at, Counter())[name] += 1
    found = look_ahead(settings)
    assert {
        minute.scheduled_send_time: minute.zones for minute in found.busiest_minutes
    } == expected
    assert all(minute.sends == sum(minute.zones.values()) for minute in found.busiest_minutes)
    assert found.sends == sum(map(Counter.total, expected.values())) == sum(found.days.values())
    assert len(found.days) == 366
    by_day: Counter[object] = Counter()
    for at, counts in expected.items():
        by_day[at.date()] += counts.total()
    assert {day: sends for day, sends in found.days.items() if sends} == by_day


def test_it_is_what_planning_inserts(settings: Settings, connection: psycopg.Connection) -> None:
    some_users(connection, 2)
    months.create_locked(connection, FEBRUARY, 3)
    found = look_ahead(settings, days=50)
    plan(connection, FEBRUARY, timedelta(days=50), ruling.of(settings))
    rows = connection.execute(
        "SELECT scheduled_send_time, count(*) FROM message_logs"
        " WHERE scheduled_send_time >= %s AND scheduled_send_time < %s GROUP BY 1",
        (found.since, found.until),
    ).fetchall()
    assert {(minute.scheduled_send_time, minute.sends) for minute in found.busiest_minutes} == {
        tuple(row) for row in rows
    }
    assert found.sends > 100


def crowd(connection: psycopg.Connection, zone: str, birthday: str, count: int) -> None:
    connection.execute(
        "INSERT INTO users (first_name, last_name, email, timezone, birthday_date)"
        " SELECT 'A', 'B', gen_random_uuid() || '@example.com', %s, %s FROM generate_series(1, %s)",
        (zone, birthday, count),
    )


def test_what_a_rate_makes_of_it(settings: Settings, connection: psycopg.Connection) -> None:
    crowd(connection, "UTC", "02-28", 9_000)
    crowd(connection, "Asia/Kathmandu", "02-28", 600)  # 3:15
    crowd(connection, "Australia/Eucla", "02-28", 900)  # 0:15
    found = look_ahead(settings, rate=1)
    busiest = [(f"{at:%H:%M}", *figures) for at, *figures, _ in map(_values, found.busiest_minutes)]
    assert busiest == [("09:00", 9_000, 9_000.0), ("00:15", 900, 900.0), ("03:15", 600, 600.0)]
    assert (found.worst_lateness_seconds, found.worst_at) == (
        9_000.0,
        datetime(2027, 2, 28, 9, tzinfo=UTC),
    )
    assert (found.late, found.too_late) == (8_940 + 840 + 540, 0)
    assert found.rate_needed == 150
    assert look_ahead(settings, rate=150).late == 0
    assert look_ahead(settings, rate=149).late > 0


def _values(minute: object) -> list[object]:
    return list(vars(minute).values())


def test_what_is_not_done_in_one_minute_is_in_the_way_in_the_next(
    settings: Settings, connection: psycopg.Connection
) -> None:
    crowd(connection, "UTC", "02-28", 9_000)  # 9:00
    crowd(connection, "Atlantic/Azores", "02-28", 100)  # 10:00
    found = look_ahead(settings, rate=2)
    assert [minute.lateness_seconds for minute in found.busiest_minutes] == [4_500.0, 950.0]


def test_what_becomes_too_late_is_not_sent(
    settings: Settings, connection: psycopg.Connection
) -> None:
    crowd(connection, "UTC", "02-28", 9_000)
    strict = look_ahead(replace(settings, max_lateness=600.0), rate=2)
    assert (strict.late, strict.too_late, strict.worst_lateness_seconds) == (1_080, 7_800, 600.0)
    # Otherwise the day is over after 15 hours.
    assert look_ahead(settings, rate=0.1).too_late == 9_000 - 5_400


def test_the_busiest_come_first_and_no_more_than_wanted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for day, count in (("03-01", 3), ("03-02", 5), ("03-03", 5), ("03-04", 1)):
        crowd(connection, "UTC", day, count)
    found = look_ahead(settings, top=3)
    assert [(minute.scheduled_send_time.day, minute.sends) for minute in found.busiest_minutes] == [
        (2, 5),
        (3, 5),
        (1, 3),
    ]
    assert found.sends == 14


def test_what_is_due_now_counts_and_what_was_due_does_not(
    settings: Settings, connection: psycopg.Connection
) -> None:
    crowd(connection, "UTC", "02-20", 1)
    assert look_ahead(settings, FEBRUARY).sends == 1
    assert look_ahead(settings, FEBRUARY, days=1).sends == 1
    assert look_ahead(settings, FEBRUARY - timedelta(days=1), days=1).sends == 0
    assert look_ahead(settings, FEBRUARY + timedelta(microseconds=1), days=364).sends == 0


@pytest.mark.parametrize(
    ("zone", "birthday"),
    # At 22:00 in UTC it is the 20th in the east, and the 19th in the west.
    [("Pacific/Kiritimati", "02-21"), ("Pacific/Pago_Pago", "02-20"), ("UTC", "02-20")],
)
def test_a_day_is_the_next_24_hours_whatever_the_local_date(
    settings: Settings, connection: psycopg.Connection, zone: str, birthday: str
) -> None:
    crowd(connection, zone, birthday, 1)
    assert look_ahead(settings, datetime(2027, 2, 19, 22, tzinfo=UTC), days=1).sends == 1


def test_of_nobody_there_is_nothing(settings: Settings, connection: psycopg.Connection) -> None:
    add_user(connection, birthday=None)
    add_user(connection)
    connection.execute("UPDATE users SET deleted_at = now()")
    found = look_ahead(settings, NOW)
    assert (found.sends, found.busiest_minutes, found.worst_at) == (0, [], None)
    assert (found.worst_lateness_seconds, found.late, found.too_late, found.rate_needed) == (
        0.0,
        0,
        0,
        0.0,
    )
