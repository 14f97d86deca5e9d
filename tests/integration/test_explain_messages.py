from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.pipeline.looking.explain import explain
from birthday_cli.pipeline.plan import plan
from tests.facts import RULES, add_user
from tests.told import ADDED, MARCH, ada, of_messages, sent_to, sentences, text


@pytest.fixture
def at_half_past_two(march: Settings, tmp_path: Path) -> Settings:
    """Settings by which birthdays are sent at 2:30, which some nights leave out or show twice."""
    (tmp_path / "hello.txt").write_text("Hello, {first_name}!")
    (tmp_path / "types.toml").write_text(
        '[BIRTHDAY]\ndate_column = "birthday_date"\nsend_at = 02:30:00\n'
        'subject = "Hello"\ntemplate = "hello.txt"\n'
    )
    return replace(march, message_types=str(tmp_path / "types.toml"), quiet_hours="off")


@pytest.mark.parametrize(
    ("birthday", "due", "told"),
    [
        (
            "03-28",
            "2027-03-28T01:30Z",
            "the clocks there go from 02:00 to 03:00, past its time of day: so it is for"
            " 2027-03-28 03:30",
        ),
        (
            "10-31",
            "2027-10-31T00:30Z",
            "the clocks there go back from 03:00 to 02:00, and show 02:30 twice: the first counts",
        ),
    ],
)
def test_a_time_that_the_night_leaves_out_or_repeats(
    at_half_past_two: Settings,
    connection: psycopg.Connection,
    birthday: str,
    due: str,
    told: str,
) -> None:
    user = ada(connection, "Europe/Berlin", birthday)
    found = explain(at_half_past_two, MARCH, "ada@example.com", 10)
    assert found.next[0].scheduled_send_time == datetime.fromisoformat(due)
    assert told in sentences(text(found))
    sent_to(connection, user, due, actual_send_time=datetime.fromisoformat(due))
    later = datetime.fromisoformat("2027-11-02T00:00Z")
    found = explain(at_half_past_two, later, "ada@example.com", 10)
    assert told not in sentences(text(found)[: -len(of_messages(found))])
    assert told in sentences(of_messages(found))


def test_a_user_who_moved_after_it_was_sent(
    march: Settings, connection: psycopg.Connection
) -> None:
    moved = datetime.fromisoformat("2027-03-05T10:00Z")
    user = ada(connection, "Asia/Tokyo", changed=moved)
    due = datetime.fromisoformat("2027-02-28T09:00Z")
    sent_to(connection, user, "2027-02-28T09:00Z", actual_send_time=due)
    assert of_messages(explain(march, MARCH, "ada@example.com", 10)) == [
        "BIRTHDAY for 2027-02-28: SENT, 0 s late",
        "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
        "   2027-02-28 09:00:00Z  due: 18:00 by the clocks of Asia/Tokyo, UTC+09:00; kept",
        "                         in message_logs_2027_02",
        "   2027-02-28 09:00:00Z  sent, 0 s late: 18:00:00 by their clock",
        "   2027-02-28 09:00:04Z  recorded as SENT",
        "   it would be due at 2027-02-28 00:00Z for the user as they are now, in",
        "      Asia/Tokyo: the user was last changed at 2027-03-05 10:00Z, after it was",
        "      SENT",
    ]


@pytest.mark.parametrize(
    ("status", "changed", "birthday", "told"),
    [
        (
            "SENT",
            "2027-02-27T10:00Z",
            "02-28",
            "it would be due at 2027-02-28 00:00Z for the user as they are now, in Asia/Tokyo:"
            " the user was last changed at 2027-02-27 10:00Z, after it was planned",
        ),
        (
            "SENT",
            "2027-03-05T10:00Z",
            "03-01",
            "no BIRTHDAY falls on 2027-02-28 for the user as they are now (it is on 03-01):"
            " the user was last changed at 2027-03-05 10:00Z, after it was SENT",
        ),
        (
            "FAILED",
            "2027-03-05T10:00Z",
            None,
            "no BIRTHDAY falls on 2027-02-28 for the user as they are now (there is no date): the"
            " user was last changed at 2027-03-05 10:00Z, after it was FAILED",
        ),
        (
            "QUEUED",
            "2026-11-20T08:00Z",
            "02-28",
            "the user was not changed since it was planned (last at 2026-11-20 08:00Z), so the"
            " settings or the time-zone data were, or the row was written by another program",
        ),
        (
            "SCHEDULED",
            "2027-02-27T10:00Z",
            "02-28",
            "in Asia/Tokyo: `bdaysched schedule --full` corrects it",
        ),
    ],
)
def test_a_message_that_fits_its_user_no_more_says_why(
    march: Settings,
    connection: psycopg.Connection,
    status: str,
    changed: str,
    birthday: str | None,
    told: str,
) -> None:
    user = ada(connection, "Asia/Tokyo", birthday, changed=datetime.fromisoformat(changed))
    sent_to(connection, user, "2027-02-28T09:00Z", status)
    now = datetime.fromisoformat("2027-02-28T08:00Z")
    assert told in sentences(of_messages(explain(march, now, "ada@example.com", 10)))


def test_a_scheduled_message_of_a_user_just_changed_is_corrected_by_the_next_run(
    march: Settings, connection: psycopg.Connection
) -> None:
    user = ada(connection)
    sent_to(connection, user, "2027-03-28T08:00Z", "SCHEDULED")
    connection.execute("UPDATE users SET birthday_date = '03-28', timezone = 'Asia/Tokyo'")
    before = sentences(text(explain(march, MARCH, "ada@example.com", 10)))
    assert "and not planned since: the next `bdaysched schedule` does that" in before
    assert "SCHEDULED now, for 2027-03-28 08:00Z: see below" in before
    assert "in Asia/Tokyo: the next `bdaysched schedule` corrects it" in before
    plan(connection, MARCH, timedelta(hours=48), RULES)
    after = sentences(text(explain(march, MARCH, "ada@example.com", 10)))
    assert "not planned since" not in after
    assert "corrects" not in after
    assert "and SCHEDULED now" in after


def test_in_the_night_nothing_is_sent(march: Settings, connection: psycopg.Connection) -> None:
    user = ada(connection, changed=ADDED)
    sent_to(connection, user, "2027-02-28T09:00Z", "SCHEDULED")
    by_night = replace(march, max_lateness=172_800.0)
    told = "it is night there: nothing is sent in QUIET_HOURS=00:00-08:00"
    for now, is_told in (("2027-03-01T07:59Z", True), ("2027-03-01T08:00Z", False)):
        found = explain(by_night, datetime.fromisoformat(now), "ada@example.com", 10)
        assert (told in sentences(of_messages(found))) == is_told


def test_a_month_that_was_dropped_and_a_row_that_was_deleted(
    march: Settings, connection: psycopg.Connection
) -> None:
    user = ada(connection, birthday="02-28", anniversary="03-26")
    sent_to(connection, user, "2027-02-28T09:00Z")
    sent_to(connection, user, "2027-03-26T09:00Z", message_type="ANNIVERSARY")
    connection.execute("DROP TABLE message_logs_2027_02")
    connection.execute("DELETE FROM message_logs")
    found = explain(march, MARCH, "ada@example.com", 10)
    assert of_messages(found) == [
        "ANNIVERSARY for 2027-03-26: it was under way, and its row was deleted from",
        "   message_logs; it is not sent again",
        "BIRTHDAY for 2027-02-28: it was SENT or FAILED, unless dropped by force; its",
        "   month message_logs_2027_02 has been dropped, and message_guard keeps it from",
        "   being sent again",
    ]
    # On the day itself, too, the next one is next year's.
    on_the_day = datetime.fromisoformat("2027-02-28T09:30Z")
    found = explain(march, on_the_day, "ada@example.com", 1)
    assert [message.delivery_date for message in found.next if message.month_day == "02-28"] == [
        date(2028, 2, 28)
    ]
    assert len(found.gone) == 1
    # Others with the same date lack nothing.
    other = add_user(connection, "Europe/London", "02-28")
    assert explain(march, MARCH, str(other), 10).gone == []


def test_the_latest_messages_and_how_many_are_older(
    march: Settings, connection: psycopg.Connection
) -> None:
    user = ada(connection)
    for day in ("2027-01-28", "2027-02-28", "2027-03-26"):
        sent_to(connection, user, f"{day}T09:00Z")
    found = explain(march, MARCH, "ada@example.com", 2)
    assert [told.row.delivery_date for told in found.messages] == [
        date(2027, 3, 26),
        date(2027, 2, 28),
    ]
    assert text(found)[-1] == "and 1 older; --limit shows more"


def test_what_others_wrote_does_not_steer_the_terminal(
    march: Settings, connection: psycopg.Connection
) -> None:
    user = ada(connection)
    connection.execute("UPDATE users SET first_name = E'\\x1b[2J', last_name = '山田 \u202e'")
    evil = "\x1b]0;evil\x07\x9b31m\r\n" + "x" * 500
    sent_to(
        connection,
        user,
        "2027-02-28T09:00Z",
        api_response_code=200,
        api_response_body=evil,
        actual_send_time=MARCH,
        error_message=evil,
        message_content=evil,
    )
    lines = text(explain(march, MARCH, "ada@example.com", 10))
    assert all(line.isprintable() for line in lines)
    assert lines[0] == "\\x1b[2J 山田 \\u202e <ada@example.com>"
    assert max(map(len, lines)) <= 80


def test_a_type_that_is_not_declared_any_more(
    at_half_past_two: Settings, connection: psycopg.Connection
) -> None:
    user = ada(connection)
    sent_to(connection, user, "2027-02-28T09:00Z", message_type="ANNIVERSARY")
    found = explain(at_half_past_two, MARCH, "ada@example.com", 10)
    assert "ANNIVERSARY is no type of message any more" in sentences(of_messages(found))
