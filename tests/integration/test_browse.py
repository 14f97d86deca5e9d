"""Pages of users and messages, what needs a person, and the day around the world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.cache import Cache
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.looking import browse, monitor
from birthday_cli.pipeline.looking.browse import Message, Wanted, WantedUsers
from birthday_cli.pipeline.looking.day import Day
from birthday_cli.pipeline.looking.day import day as ask_for_day
from tests.facts import NOW, add_message, add_user

MIDNIGHT = browse.day_of(NOW)
TODAY = Wanted(MIDNIGHT, MIDNIGHT + timedelta(days=1))
A_MINUTE = timedelta(minutes=1)


def users(settings: Settings, **wanted: str) -> list[str]:
    found, more = browse.users(settings, WantedUsers(**wanted))
    assert not more
    return [user.email for user in found]


def due(messages: list[Message]) -> list[datetime]:
    return [message.scheduled_send_time for message in messages]


def the_day(settings: Settings) -> Day:
    return ask_for_day(settings, MIDNIGHT, Cache(settings))


# ---- users


def test_users_are_found_by_name_and_address_in_any_case_and_by_zone_and_date(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection, "Asia/Tokyo", "03-10", None, "Ada", "Lovelace", "a@example.com")
    add_user(connection, "Asia/Tokyo", None, "03-10", "Per", "100%_sure", "b@example.com")
    add_user(connection, "UTC", "03-11", None, "Zoë", "O'Brien", "c@example.org")
    deleted = add_user(connection, email="deleted@example.com")
    connection.execute("UPDATE users SET deleted_at = now() WHERE id = %s", (deleted,))

    assert users(settings) == ["a@example.com", "b@example.com", "c@example.org"]
    assert users(settings, text="ADA LOVE") == ["a@example.com"]
    assert users(settings, text="Example.ORG") == ["c@example.org"]
    assert users(settings, text="%_") == ["b@example.com"]
    assert users(settings, text="o'b") == ["c@example.org"]
    assert users(settings, timezone="Asia/Tokyo") == ["a@example.com", "b@example.com"]
    assert users(settings, month_day="03-10", timezone="Asia/Tokyo", text="per") == [
        "b@example.com"
    ]
    assert users(settings, text="nobody") == []


def test_a_whole_address_finds_its_user_and_nobody_else(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection, "UTC", email="a@example.com")
    add_user(connection, "UTC", email="aa@example.com")
    assert users(settings, text="a@example.com") == ["a@example.com"]
    assert users(settings, text="a@example.co") == ["a@example.com", "aa@example.com"]
    assert users(settings, text="a@example.com", timezone="Asia/Tokyo") == []


def test_pages_of_users_hold_everyone_once(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "PAGE", 2)
    for n in range(5):
        add_user(connection, email=f"{n}@example.com")
    pages, after, more = [], None, True
    while more:
        found, more = browse.users(settings, WantedUsers(), after)
        after = found[-1].email
        pages.append([user.email[0] for user in found])
    assert pages == [["0", "1"], ["2", "3"], ["4"]]


# ---- messages


def test_pages_of_messages_hold_each_once_also_those_of_one_instant(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "PAGE", 2)
    wanted = {add_message(connection, NOW).id for _ in range(5)}
    add_message(connection, MIDNIGHT - A_MINUTE)
    add_message(connection, TODAY.until)
    pages, after, more = [], None, True
    while more:
        found, more = browse.messages(settings, TODAY, NOW, after)
        after = browse.reference(browse.written(found[-1]))
        pages.append([message.id for message in found])
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {each for page in pages for each in page} == wanted


def test_messages_are_found_by_status_and_type(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, NOW, "SENT")
    add_message(connection, NOW + A_MINUTE, "FAILED")
    add_message(connection, NOW + 2 * A_MINUTE, "FAILED", message_type="ANNIVERSARY")
    failed = TODAY._replace(status="FAILED")
    assert due(browse.messages(settings, failed, NOW)[0]) == [NOW + A_MINUTE, NOW + 2 * A_MINUTE]
    both = failed._replace(message_type="ANNIVERSARY")
    assert due(browse.messages(settings, both, NOW)[0]) == [NOW + 2 * A_MINUTE]


def test_only_what_failed_and_is_in_time_may_be_tried_again(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, NOW, "FAILED", timedelta(hours=1))
    add_message(connection, NOW + A_MINUTE, "FAILED", timedelta())
    add_message(connection, NOW + 2 * A_MINUTE, "SENT")
    gone = add_user(connection)
    connection.execute("UPDATE users SET deleted_at = now() WHERE id = %s", (gone,))
    add_message(connection, NOW + 3 * A_MINUTE, "FAILED", user_id=gone)
    found, _ = browse.messages(settings, TODAY, NOW + A_MINUTE)
    assert [message.may_be_retried for message in found] == [True, False, False, False]


@pytest.mark.parametrize(
    "text", ["", "x", "2027-03-10T00:00:00_x", "2027-03-10T00:00:00_" + "0" * 32]
)
def test_what_names_no_place_in_the_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        browse.reference(text)


# ---- what needs a person


def test_what_does_not_move_and_what_brings_it_on(
    settings: Settings, connection: psycopg.Connection
) -> None:
    """The same that `monitor stuck` counts."""
    real = datetime.now(UTC)
    soon, over, long_over = real + A_MINUTE, real - A_MINUTE, real - 6 * A_MINUTE
    due_at = iter(NOW - timedelta(minutes=n) for n in range(40, 0, -1))
    for status, columns in (
        ("SCHEDULED", {}),
        ("QUEUED", {"updated_at": real - timedelta(days=1)}),
        ("QUEUED", {"updated_at": real}),
        ("QUEUED", {"updated_at": real - timedelta(days=1), "lease_expires_at": soon}),
        ("SENDING", {"lease_expires_at": over}),
        ("SENDING", {"lease_expires_at": soon}),
        ("RETRYING", {"next_attempt_at": "infinity"}),
        ("RETRYING", {"next_attempt_at": long_over}),
        ("RETRYING", {"next_attempt_at": over}),
        ("SENT", {}),
    ):
        add_message(connection, next(due_at), status, timedelta(hours=15), **columns)
    add_message(connection, NOW - 4 * A_MINUTE)

    found = browse.attention(settings, NOW).stuck
    assert [(message.what, message.remedy) for message in found] == [
        ("due 5 min, not queued", "bdaysched schedule"),
        ("queued, and lost?", "bdaysched monitor workers"),
        ("sending, lease over", "bdaysched schedule"),
        ("held for a person", "bdaysched queue replay --held"),
        ("retry due 5 min", "bdaysched schedule"),
    ]
    counted = monitor.table(settings, "stuck", NOW)
    what, messages = map(counted.columns.index, ("what", "messages"))
    assert {row[what]: row[messages] for row in counted.rows} == {
        message.what: 1 for message in found
    }


def test_failures_are_those_that_may_still_be_sent(
    settings: Settings, connection: psycopg.Connection
) -> None:
    found = browse.attention(settings, NOW)
    add_message(connection, found.failed_since - A_MINUTE, "FAILED")
    add_message(connection, found.failed_since, "FAILED")
    add_message(connection, NOW, "SENT")
    assert due(browse.attention(settings, NOW).failed) == [found.failed_since]


# ---- the day


def test_the_day_is_counted_by_instant_zone_and_status(
    settings: Settings, connection: psycopg.Connection
) -> None:
    berlin, lagos = add_user(connection, "Europe/Berlin"), add_user(connection, "Africa/Lagos")
    morning = MIDNIGHT + timedelta(hours=8)
    add_message(connection, morning, "SENT", user_id=berlin, actual_send_time=morning + A_MINUTE)
    add_message(connection, morning, "FAILED", user_id=lagos)
    other = add_user(connection, "Africa/Lagos")
    add_message(connection, morning + A_MINUTE, user_id=other)
    add_message(connection, MIDNIGHT - A_MINUTE)
    add_message(connection, TODAY.until)
    connection.execute("ANALYZE message_logs")
    found = the_day(settings)
    assert [(each.at, each.by_zone) for each in found.mornings] == [
        (morning, {"Africa/Lagos": {"FAILED": 1}, "Europe/Berlin": {"SENT": 1}}),
        (morning + A_MINUTE, {"Africa/Lagos": {"SCHEDULED": 1}}),
    ]
    assert found.by_status == {"SENT": 1, "FAILED": 1, "SCHEDULED": 1}
    assert (found.worst, found.estimated) == (60, False)
    # By the end of the quarters before, at, and after eight o'clock.
    assert found.planned[31:34] == [0, 3, 3]
    assert found.sent[31:34] == [0, 1, 1]


def test_what_was_sent_the_day_after_counts_on_no_quarter(
    settings: Settings, connection: psycopg.Connection
) -> None:
    late = MIDNIGHT + timedelta(hours=25)
    add_message(connection, MIDNIGHT + timedelta(hours=23), "SENT", actual_send_time=late)
    found = the_day(settings)
    assert (found.planned[-1], found.sent[-1], found.worst) == (1, 0, 7_200)


def test_an_empty_day(settings: Settings) -> None:
    found = the_day(settings)
    assert (found.mornings, found.worst, found.estimated) == ([], None, False)
    assert set(found.planned) == set(found.sent) == {0}


def test_without_tables_it_says_what_to_do(empty_database: str) -> None:
    settings = Settings(database_url=empty_database)
    for ask in (
        lambda: browse.users(settings, WantedUsers()),
        lambda: browse.messages(settings, TODAY, NOW),
        lambda: browse.attention(settings, NOW),
        lambda: the_day(settings),
    ):
        with pytest.raises(BdayschedError, match="bdaysched migrate"):
            ask()
