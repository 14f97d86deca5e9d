from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from uuid import uuid4

import psycopg
import pytest

from birthday_cli.cli import output
from birthday_cli.config import Settings
from birthday_cli.domain import rules as ruling
from birthday_cli.domain import zones
from birthday_cli.errors import BdayschedError, NotUpToDate
from birthday_cli.pipeline.looking.explain import explain
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES, add_user
from tests.told import ADDED, MARCH, ada, sent_to, sentences, text


def test_a_user_born_on_29_february(march: Settings, connection: psycopg.Connection) -> None:
    user = ada(connection, birthday="02-29")
    sent_to(
        connection,
        user,
        "2027-02-28T09:00Z",
        actual_send_time=datetime.fromisoformat("2027-02-28T09:00:03.1Z"),
        api_response_code=200,
        api_response_body="ok",
        retry_count=1,
    )
    assert text(explain(march, MARCH, "ada@example.com", 10)) == [
        "Ada Lovelace <ada@example.com>",
        "lives in Europe/London: now 2027-03-27 11:02, UTC+00:00 (time-zone data"
        f" {zones.version()})",
        "BIRTHDAY on 02-29: celebrated on 28 February in years without one",
        "   (LEAP_DAY=feb-28)",
        "ANNIVERSARY: no date, so none is sent",
        f"id {user}",
        "added 2026-11-20 08:00Z, last changed 2026-11-20 08:00Z",
        "",
        "next BIRTHDAY: Tuesday 2028-02-29 at 09:00 by their clock, UTC+00:00, which is",
        "   2028-02-29 09:00Z",
        "   too late from 2028-03-01 00:00Z on (the end of their day)",
        "   kept in message_logs_2028_02",
        "   not planned yet: it will be by 2028-02-27 09:00Z, 48 h before",
        "      (SCHEDULE_HORIZON)",
        "",
        "BIRTHDAY for 2027-02-28: SENT, 3.1 s late",
        "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
        "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
        "                         kept in message_logs_2027_02",
        "   2027-02-28 09:00:03Z  sent at attempt 2, 3.1 s late: 09:00:03 by their clock;",
        "                         answered 200 “ok”",
        "   2027-02-28 09:00:04Z  recorded as SENT",
    ]


def test_the_offset_is_another_after_the_clocks_change(
    march: Settings, connection: psycopg.Connection
) -> None:
    ada(connection, birthday="03-28")
    assert text(explain(march, MARCH, "ada@example.com", 10))[-9:] == [
        "next BIRTHDAY: Sunday 2027-03-28 at 09:00 by their clock, UTC+01:00, which is",
        "   2027-03-28 08:00Z",
        "   the offset differs from today's because the clocks change on 2027-03-28",
        "      01:00Z, from UTC+00:00 to UTC+01:00",
        "   too late from 2027-03-28 23:00Z on (the end of their day)",
        "   kept in message_logs_2027_03",
        "   not planned yet: the next `bdaysched schedule` does that",
        "",
        "no messages yet",
    ]


@pytest.mark.parametrize(
    ("rule", "day", "told"),
    [
        ("feb-28", date(2028, 2, 29), "celebrated on 28 February in years without one"),
        ("mar-1", date(2028, 2, 29), "celebrated on 1 March in years without one"),
        ("skip", date(2028, 2, 29), "celebrated on nothing but 29 February, in leap years"),
    ],
)
def test_the_leap_rule_is_told(
    march: Settings, connection: psycopg.Connection, rule: str, day: date, told: str
) -> None:
    ada(connection, birthday="02-29")
    found = explain(replace(march, leap_day=rule), MARCH, "ada@example.com", 10)
    assert [message.delivery_date for message in found.next] == [day]
    assert f"{told} (LEAP_DAY={rule})" in sentences(text(found))


def test_a_deleted_user(march: Settings, connection: psycopg.Connection) -> None:
    first = ada(connection, birthday="03-28")
    connection.execute("UPDATE users SET deleted_at = '2027-03-01Z' WHERE id = %s", (first,))
    last = ada(connection, birthday="03-28")
    sent_to(connection, last, "2027-03-28T08:00Z", "SCHEDULED", updated_at=ADDED, created_at=ADDED)
    connection.execute("UPDATE users SET deleted_at = '2027-03-20Z' WHERE id = %s", (last,))
    found = explain(march, MARCH, "ada@example.com", 10)
    assert (found.user.id, found.next) == (last, [])
    lines = text(found)
    assert "DELETED at 2027-03-20 00:00Z: nothing is sent from then on" in lines
    assert lines[-1] == "   the user was deleted: the next `bdaysched schedule` withdraws it"
    assert explain(march, MARCH, str(first).upper(), 10).user.id == first
    again = ada(connection)
    assert explain(march, MARCH, "ada@example.com", 10).user.id == again


def test_whether_it_is_planned(march: Settings, connection: psycopg.Connection) -> None:
    def told() -> str:
        return sentences(text(explain(march, MARCH, "ada@example.com", 10)))

    unplanned = "not planned yet: the next `bdaysched schedule` does that"
    user = ada(connection, "UTC", birthday="03-29")
    assert unplanned in told()
    plan(connection, MARCH, timedelta(hours=48), RULES)
    (row,) = connection.execute("SELECT created_at FROM message_logs").fetchall()
    found = explain(march, MARCH, "ada@example.com", 10)
    assert (found.next[0].status, found.next[0].planned_at) == ("SCHEDULED", row[0])
    assert ", and SCHEDULED now" in told()
    connection.execute("DELETE FROM message_logs")
    assert "NOT PLANNED, though all others were at " in told()
    plan(connection, MARCH, timedelta(hours=48), RULES, full=True)
    assert ", and SCHEDULED now" in told()
    connection.execute("DELETE FROM message_logs")
    connection.execute("UPDATE users SET first_name = 'Eve' WHERE id = %s", (user,))
    assert unplanned in told()
    connection.execute("UPDATE users SET birthday_date = '03-30'")
    assert "it will be by 2027-03-28 09:00Z, 48 h before (SCHEDULE_HORIZON)" in told()


def test_the_users_own_day_counts_until_it_is_over(
    march: Settings, connection: psycopg.Connection
) -> None:
    ada(connection, birthday="03-27")
    lines = text(explain(march, MARCH, "ada@example.com", 10))
    assert "next BIRTHDAY: Saturday 2027-03-27 at 09:00 by their clock" in sentences(lines)
    assert "   it is due, and 2 h 2 min late" in lines
    strict = replace(march, max_lateness=3_600.0)
    lines = text(explain(strict, MARCH, "ada@example.com", 10))
    assert "   too late from 2028-03-27 09:00Z on (MAX_LATENESS=1 h)" in lines


@pytest.mark.parametrize("status", ["SENT", "FAILED"])
def test_when_that_days_is_settled_the_next_is_next_years(
    march: Settings, connection: psycopg.Connection, status: str
) -> None:
    user = ada(connection, birthday="03-27")
    sent_to(connection, user, "2027-03-27T09:00Z", status)
    found = explain(march, MARCH, "ada@example.com", 10)
    assert [message.delivery_date for message in found.next] == [date(2028, 3, 27)]
    connection.execute("UPDATE message_logs SET status = 'RETRYING'")
    found = explain(march, MARCH, "ada@example.com", 10)
    assert [message.delivery_date for message in found.next] == [date(2027, 3, 27)]
    assert found.next[0].status == "RETRYING"


def test_a_month_that_is_not_there_yet(march: Settings, connection: psycopg.Connection) -> None:
    ada(connection, birthday="02-29")
    found = explain(replace(march, leap_day="skip"), MARCH.replace(year=2028), "ada@example.com", 1)
    assert found.next[0].has_partition is False
    assert (
        "kept in message_logs_2032_02, which is not there yet: `bdaysched create-partitions 47`"
        in sentences(text(found))
    )


def test_who_is_not_there(march: Settings, connection: psycopg.Connection) -> None:
    for who in ("nobody@example.com", str(uuid4()), "'; --"):
        with pytest.raises(BdayschedError, match=r"there is no user .* `bdaysched users list`"):
            explain(march, MARCH, who, 10)
    connection.execute("INSERT INTO time_zones VALUES ('Mars/Olympus')")
    add_user(connection, "Mars/Olympus", email="ada@example.com")
    with pytest.raises(BdayschedError, match="Mars/Olympus, which is not in the time-zone data"):
        explain(march, MARCH, "ada@example.com", 10)


def test_without_a_schema_it_says_what_to_do(empty_database: str) -> None:
    with pytest.raises(NotUpToDate, match="bdaysched migrate"):
        explain(Settings(database_url=empty_database), NOW, "ada@example.com", 10)


@pytest.mark.parametrize("rule", ["feb-28", "mar-1"])
def test_what_is_told_beforehand_is_what_planning_does(
    march: Settings, connection: psycopg.Connection, rule: str
) -> None:
    settings = replace(march, leap_day=rule)
    rng = Random(rule)
    names = sorted(zones.names())
    dates = ["02-28", "02-29", "03-01", "03-13", "03-14", "03-28"]
    users = [
        add_user(connection, rng.choice(names), rng.choice(dates), rng.choice(dates))
        for _ in range(60)
    ]
    now = datetime.fromisoformat("2027-02-26T12:00Z")
    told = {
        (user, message.message_type): (
            message.delivery_date,
            message.scheduled_send_time,
            message.expires_at,
            message.partition,
        )
        for user in users
        for message in explain(settings, now, str(user), 1).next
    }
    plan(connection, now, timedelta(days=32), ruling.of(settings))
    rows = connection.execute(
        "SELECT user_id, message_type, delivery_date, scheduled_send_time, expires_at,"
        " tableoid::regclass::text FROM message_logs"
    ).fetchall()
    assert told == {(user, kind): tuple(facts) for user, kind, *facts in rows}
    for user in users:
        found = explain(settings, now, str(user), 10)
        assert all(message.fits for message in found.messages)
        assert {message.status for message in found.next} == {"SCHEDULED"}


def test_the_same_facts_as_json(
    march: Settings, connection: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    user = ada(connection, birthday="03-28")
    due = datetime.fromisoformat("2027-02-28T09:00Z")
    sent_to(connection, user, "2027-02-28T09:00Z", actual_send_time=due)
    output.print_json(explain(march, MARCH, "ada@example.com", 10))
    found = json.loads(capsys.readouterr().out)
    assert found["now"] == "2027-03-27T11:02:00Z"
    assert found["local_time"] == "2027-03-27 11:02:00"
    assert found["user"]["dates"] == {"BIRTHDAY": "03-28", "ANNIVERSARY": None}
    assert found["settings"] == {
        "leap_day": "feb-28",
        "max_lateness_seconds": None,
        "quiet_hours": "00:00-08:00",
        "schedule_horizon_seconds": 172_800.0,
    }
    (message,) = found["next"]
    assert message["scheduled_send_time"] == "2027-03-28T08:00:00Z"
    assert message["changed_offset"] == {
        "at": "2027-03-28T01:00:00Z",
        "clock_before": "2027-03-28 01:00:00",
        "clock_after": "2027-03-28 02:00:00",
        "offset_before": "+00:00",
        "offset_after": "+01:00",
    }
    (told,) = found["messages"]
    assert told["row"]["actual_send_time"] == "2027-02-28T09:00:00Z"
    assert told["row"]["partition"] == "message_logs_2027_02"
    assert (told["lateness_seconds"], told["expected_send_time"]) == (0.0, None)
    assert found["gone"] == []


def test_a_user_is_found_by_index(march: Settings, connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO users (first_name, last_name, email, timezone)"
        " SELECT 'A', 'B', n || '@example.com', 'UTC' FROM generate_series(1, 2000) AS n"
    )
    connection.execute(
        "INSERT INTO message_logs"
        " (user_id, message_type, message_content, delivery_date, scheduled_send_time)"
        " SELECT id, 'BIRTHDAY', '', '2027-02-28', '2027-02-28T09:00Z' FROM users"
    )
    user = ada(connection)
    sent_to(connection, user, "2027-02-28T09:00Z")
    connection.execute("ANALYZE users, message_logs")
    before = _rows_scanned(connection)
    for who in ("ada@example.com", str(user)):
        assert len(explain(march, MARCH, who, 10).messages) == 1
    assert _rows_scanned(connection) == before


def _rows_scanned(connection: psycopg.Connection) -> object:
    """Return how many rows of users and messages were read without an index."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    return connection.execute(
        "SELECT sum(seq_tup_read) FROM pg_stat_user_tables"
        " WHERE relname = 'users' OR relname LIKE 'message%'"
    ).fetchone()
