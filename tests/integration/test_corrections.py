"""What happens to planned messages when users, rules or time-zone data change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.domain import calendar, rules, zones
from birthday_cli.domain.month_day import LeapRule
from birthday_cli.domain.rules import Rules
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import Planned
from birthday_cli.pipeline.plan import plan as plan_messages
from tests.facts import NOW, RULES, add_user, planned, statuses

DAY = timedelta(days=1)
TOMORROW = NOW + DAY


def plan(
    connection: psycopg.Connection,
    now: datetime = NOW,
    horizon: timedelta = 2 * DAY,
    rules: Rules = RULES,
    full: bool = False,
) -> Planned:
    return plan_messages(connection, now, horizon, rules, full)


def change(connection: psycopg.Connection, user: UUID, assignment: str) -> None:
    connection.execute(f"UPDATE users SET {assignment} WHERE id = %s", (user,))


def guarded(connection: psycopg.Connection) -> int:
    row: Any = connection.execute("SELECT count(*) FROM message_guard").fetchone()
    return int(row[0])


def nine(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(9), ZoneInfo(zone)).astimezone(UTC)


def test_a_new_zone_moves_the_message(connection: psycopg.Connection) -> None:
    user = add_user(connection, "Asia/Tokyo", f"{TOMORROW:%m-%d}")
    plan(connection)
    [(day, before, text)] = planned(connection)
    change(connection, user, "timezone = 'America/New_York'")
    assert plan(connection).corrected == 1
    assert planned(connection) == [(day, nine(day, "America/New_York"), text)]
    assert before == nine(day, "Asia/Tokyo")
    assert guarded(connection) == 1
    assert plan(connection) == Planned({"BIRTHDAY": 0, "ANNIVERSARY": 0})


def test_a_new_zone_moves_the_message_into_another_month(connection: psycopg.Connection) -> None:
    first = (NOW.replace(day=1) + 32 * DAY).replace(day=1, hour=0)
    user = add_user(connection, "Pacific/Kiritimati", f"{first:%m-%d}")
    plan(connection, first - DAY)
    month = "SELECT tableoid::regclass::text FROM message_logs"
    assert connection.execute(month).fetchall() == [(f"message_logs_{first - DAY:%Y_%m}",)]
    change(connection, user, "timezone = 'Pacific/Pago_Pago'")
    plan(connection, first - DAY)
    assert connection.execute(month).fetchall() == [(f"message_logs_{first:%Y_%m}",)]
    assert planned(connection)[0][:2] == (first.date(), nine(first.date(), "Pacific/Pago_Pago"))
    assert guarded(connection) == 1


def test_a_new_zone_whose_morning_is_not_planned_yet(connection: psycopg.Connection) -> None:
    user = add_user(connection, "Pacific/Kiritimati", f"{TOMORROW:%m-%d}")
    plan(connection, horizon=timedelta(hours=8))
    assert statuses(connection) == {"SCHEDULED": 1}
    change(connection, user, "timezone = 'Pacific/Pago_Pago'")
    assert plan(connection, horizon=timedelta(hours=8)).withdrawn == 1
    assert (statuses(connection), guarded(connection)) == ({}, 0)
    plan(connection)
    assert planned(connection)[0][1] == nine(TOMORROW.date(), "Pacific/Pago_Pago")


def test_a_new_date_takes_the_message_there(connection: psycopg.Connection) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    change(connection, user, f"birthday_date = '{NOW + 2 * DAY:%m-%d}'")
    done = plan(connection, horizon=3 * DAY)
    assert (done.withdrawn, done.new["BIRTHDAY"]) == (1, 1)
    assert [day for day, _, _ in planned(connection)] == [(NOW + 2 * DAY).date()]
    change(connection, user, "birthday_date = NULL")
    assert plan(connection, horizon=3 * DAY).withdrawn == 1
    assert (statuses(connection), guarded(connection)) == ({}, 0)


def test_a_new_name_rewrites_the_text(connection: psycopg.Connection) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}", first_name="Ann")
    plan(connection)
    change(connection, user, "first_name = 'Anna {last_name} 100%%'")
    assert plan(connection).corrected == 1
    assert planned(connection)[0][2] == "Happy birthday, Anna {last_name} 100% Lovelace!"


def test_a_deleted_user_s_message_is_removed_and_comes_back_with_the_user(
    connection: psycopg.Connection,
) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    change(connection, user, "deleted_at = now()")
    assert plan(connection).withdrawn == 1
    assert (statuses(connection), guarded(connection)) == ({}, 0)
    change(connection, user, "deleted_at = NULL")
    assert plan(connection).new["BIRTHDAY"] == 1


@pytest.mark.parametrize("status", ["QUEUED", "SENDING", "RETRYING", "SENT", "FAILED"])
@pytest.mark.parametrize(
    "assignment",
    [
        "timezone = 'Asia/Tokyo'",
        "first_name = 'Other'",
        "birthday_date = '01-01'",
        "deleted_at = now()",
    ],
)
def test_what_is_under_way_or_done_is_never_touched(
    connection: psycopg.Connection, status: str, assignment: str
) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    connection.execute("UPDATE message_logs SET status = %s", (status,))
    everything = "SELECT * FROM message_logs"
    before = connection.execute(everything).fetchall()
    change(connection, user, assignment)
    assert plan(connection, full=True) == Planned({"BIRTHDAY": 0, "ANNIVERSARY": 0})
    assert connection.execute(everything).fetchall() == before


def test_whoever_was_sent_to_moves_and_is_not_sent_to_again(
    connection: psycopg.Connection,
) -> None:
    user = add_user(connection, "Asia/Tokyo", f"{NOW:%m-%d}")
    plan(connection, NOW - timedelta(hours=13))
    connection.execute("UPDATE message_logs SET status = 'SENT'")
    change(connection, user, "timezone = 'America/New_York'")
    plan(connection)
    assert statuses(connection) == {"SENT": 1}


@pytest.fixture
def moved_lisbon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Newer time-zone data, in which Lisbon keeps Istanbul's time."""
    load = zones.load
    monkeypatch.setattr(
        zones, "load", lambda name: load({"Europe/Lisbon": "Europe/Istanbul"}.get(name, name))
    )
    calendar.forget()
    yield
    monkeypatch.undo()
    calendar.forget()


def test_newer_zone_data_moves_those_whom_it_concerns(
    connection: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    day = TOMORROW.date()
    for zone in ("Europe/Lisbon", "Europe/London", "Asia/Tokyo"):
        add_user(connection, zone, f"{TOMORROW:%m-%d}", first_name=zone)
    plan(connection)
    request.getfixturevalue("moved_lisbon")
    assert plan(connection).corrected == 1
    sent_at = {text.split()[2]: moment for _, moment, text in planned(connection)}
    assert sent_at == {
        "Asia/Tokyo": nine(day, "Asia/Tokyo"),
        "Europe/Lisbon": nine(day, "Europe/Istanbul"),
        "Europe/London": nine(day, "Europe/London"),
    }
    assert plan(connection) == Planned({"BIRTHDAY": 0, "ANNIVERSARY": 0})


def declared(folder: Path, send_at: str, wording: str) -> Rules:
    """Rules with one type, declared in a folder that is new each time, as an edit would be."""
    folder.mkdir()
    (folder / "text.txt").write_text(wording)
    (folder / "types.toml").write_text(
        f'[BIRTHDAY]\ndate_column = "birthday_date"\nsend_at = {send_at}\n'
        'subject = "Hello"\ntemplate = "text.txt"\n'
    )
    return rules.of(Settings(message_types=str(folder / "types.toml")))


def test_a_new_send_time_or_wording_reaches_what_is_planned(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    add_user(connection, "Asia/Kathmandu", f"{TOMORROW:%m-%d}", first_name="Maya")
    plan(connection, rules=declared(tmp_path / "1", "09:00:00", "Hi {first_name}"))
    plan(connection, rules=declared(tmp_path / "2", "17:30:00", "{first_name}: 100%!"))
    at = datetime.combine(TOMORROW, time(17, 30), ZoneInfo("Asia/Kathmandu"))
    assert planned(connection) == [(TOMORROW.date(), at, "Maya: 100%!")]


def test_a_new_wording_alone_reaches_what_is_planned(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    add_user(connection, birthday=f"{TOMORROW:%m-%d}", first_name="Maya")
    plan(connection, rules=declared(tmp_path / "1", "09:00:00", "Hi {first_name}"))
    assert plan(connection, rules=declared(tmp_path / "2", "09:00:00", "Hello")).corrected == 1
    assert [text for _, _, text in planned(connection)] == ["Hello"]


def test_a_change_on_the_heels_of_the_addition_is_followed(
    connection: psycopg.Connection,
) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    # The morning's own statement plans those whose note comes too late for the same run.
    connection.execute("CREATE TEMPORARY TABLE late AS TABLE changed_users")
    connection.execute("DELETE FROM changed_users")
    plan(connection)
    connection.execute("INSERT INTO changed_users TABLE late")
    change(connection, user, "first_name = 'Other'")
    assert plan(connection).corrected == 1
    assert planned(connection)[0][2] == "Happy birthday, Other Lovelace!"


def test_another_leap_rule_moves_29_february(connection: psycopg.Connection) -> None:
    now = datetime(2027, 2, 26, 12, tzinfo=UTC)
    months.create_locked(connection, now, 1)
    add_user(connection, birthday="02-29")
    add_user(connection, birthday="02-28")
    plan(connection, now, 4 * DAY)
    assert [f"{day:%m-%d}" for day, _, _ in planned(connection)] == ["02-28", "02-28"]
    plan(connection, now, 4 * DAY, replace(RULES, leap_rule=LeapRule.MAR_1))
    assert [f"{day:%m-%d}" for day, _, _ in planned(connection)] == ["02-28", "03-01"]
    plan(connection, now, 4 * DAY, replace(RULES, leap_rule=LeapRule.SKIP))
    assert [f"{day:%m-%d}" for day, _, _ in planned(connection)] == ["02-28"]


def test_another_lateness_holds_for_what_is_planned(connection: psycopg.Connection) -> None:
    add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    plan(connection, rules=replace(RULES, max_lateness=timedelta(minutes=30)))
    row = connection.execute("SELECT expires_at FROM message_logs").fetchone()
    assert row == (nine(TOMORROW.date(), "UTC") + timedelta(minutes=30),)


def test_a_change_by_hand_is_seen_and_dated(connection: psycopg.Connection) -> None:
    user = add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    connection.execute("UPDATE users SET updated_at = '2020-01-01'")
    change(connection, user, "last_name = 'Byron'")
    row: Any = connection.execute("SELECT updated_at > now() - interval '1 minute' FROM users")
    assert row.fetchone() == (True,)
    plan(connection)
    connection.execute("DELETE FROM changed_users")
    change(connection, user, "last_name = last_name")
    assert connection.execute("SELECT * FROM changed_users").fetchall() == []


def test_a_user_whose_transaction_ends_after_planning_is_not_forgotten(
    connection: psycopg.Connection, database: str
) -> None:
    with psycopg.connect(database) as slow:
        add_user(slow, birthday=f"{TOMORROW:%m-%d}")
        assert plan(connection).new["BIRTHDAY"] == 0
        slow.commit()
    assert plan(connection).new["BIRTHDAY"] == 1


def test_a_row_that_was_deleted_by_hand_comes_back_with_full(
    connection: psycopg.Connection,
) -> None:
    add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    connection.execute("DELETE FROM message_logs")
    assert plan(connection).new["BIRTHDAY"] == 0
    assert plan(connection, full=True).new["BIRTHDAY"] == 1


def test_many_changes_are_taken_in_batches(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("birthday_cli.pipeline.plan._USERS_AT_ONCE", 3)
    for _ in range(10):
        add_user(connection, birthday=f"{TOMORROW:%m-%d}")
    plan(connection)
    connection.execute("UPDATE users SET timezone = 'Asia/Tokyo'")
    assert plan(connection).corrected == 10
    assert connection.execute("SELECT * FROM changed_users").fetchall() == []
