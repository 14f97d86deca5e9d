"""The queue from an operator's side, in the database: pauses, counts, what a person decides."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import pausing
from birthday_cli.db import queue as rows
from birthday_cli.db.connect import connect_async
from birthday_cli.db.pausing import Pause
from birthday_cli.domain.message import Reference
from birthday_cli.domain.states import BY_A_PERSON, MOVES, Status
from birthday_cli.pipeline import queue, replay
from tests.facts import NOW, RULES, add_message, column, statuses
from tests.references import HANG

HOUR = timedelta(hours=1)


async def seen_by_a_worker(settings: Settings) -> Pause | None:
    async with connect_async(settings.database_url, settings) as connection:
        return await pausing.current(connection)


def add_held(connection: psycopg.Connection, **columns: Any) -> Reference:
    values = {"next_attempt_at": "infinity", "retry_count": 1, "error_message": "no answer"}
    return add_message(connection, status="RETRYING", **{**values, **columns})


# ---- pausing


@pytest.mark.usefixtures("database")
async def test_without_a_pause_workers_see_none(settings: Settings) -> None:
    assert await seen_by_a_worker(settings) is None


async def test_a_pause_without_an_end_lasts_until_it_is_resumed(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connection.transaction():
        pausing.pause(connection, "ada@here", None)
    found = await seen_by_a_worker(settings)
    assert found
    assert (found.by, found.until, found.reason) == ("ada@here", None, None)
    assert pausing.resume(connection) == found
    assert await seen_by_a_worker(settings) is None
    assert pausing.resume(connection) is None


async def test_a_pause_ends_by_itself(settings: Settings, connection: psycopg.Connection) -> None:
    pausing.pause(connection, "ada@here", HOUR, "moving house")
    found = await seen_by_a_worker(settings)
    assert found
    assert found.until
    assert (found.until - found.since, found.reason) == (HOUR, "moving house")
    connection.execute("UPDATE queue_pause SET paused_until = now()")
    assert await seen_by_a_worker(settings) is None
    assert pausing.resume(connection) is None


async def test_pausing_again_changes_who_when_and_why(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = pausing.pause(connection, "ada@here", None, "moving house")
    second = pausing.pause(connection, "bob@there", HOUR)
    assert await seen_by_a_worker(settings) == second
    assert (second.by, second.reason) == ("bob@there", None)
    assert second.since > first.since


@pytest.mark.usefixtures("database")
async def test_a_dry_run_pauses_and_resumes_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    pausing.pause(connection, "ada@here", None)
    before = await seen_by_a_worker(settings)
    with connection.transaction(force_rollback=True):
        pausing.pause(connection, "bob@there", HOUR)
        pausing.resume(connection)
    assert await seen_by_a_worker(settings) == before


def test_who_paused_is_named_with_user_and_host(settings: Settings) -> None:
    user, _, host = queue.pause(settings, None, None, dry_run=True).by.partition("@")
    assert user
    assert host


# ---- counting


async def test_every_row_under_way_is_counted_where_it_is(
    settings: Settings, connection: psycopg.Connection
) -> None:
    coming, gone = datetime.now(UTC) + HOUR, datetime.now(UTC) - HOUR
    for status, columns, count in (
        ("QUEUED", {"due": NOW - 2 * HOUR}, 1),
        ("QUEUED", {"lease_expires_at": gone}, 1),
        ("QUEUED", {"lease_expires_at": coming}, 3),
        ("SENDING", {"lease_expires_at": coming}, 4),
        ("SENDING", {"lease_expires_at": gone}, 5),
        ("RETRYING", {"next_attempt_at": gone}, 5),
        ("RETRYING", {}, 1),
        ("RETRYING", {"next_attempt_at": coming}, 7),
        ("RETRYING", {"next_attempt_at": "infinity"}, 8),
        ("SCHEDULED", {}, 1),
        ("SENT", {}, 1),
        ("FAILED", {}, 1),
    ):
        for _ in range(count):
            add_message(connection, status=status, **columns)
    async with connect_async(settings.database_url, settings) as found:
        assert await rows.under_way(found) == (2, 3, 4, 5, 6, 7, 8, NOW - 2 * HOUR)


def test_held_messages_are_listed_the_longest_first(
    settings: Settings, connection: psycopg.Connection
) -> None:
    started = datetime.now(UTC)
    held = [add_held(connection, updated_at=started - n * HOUR) for n in range(3)]
    add_message(connection, status="RETRYING", next_attempt_at=started)
    found, problem = replay.waiting(settings, limit=2)
    assert problem is None
    assert [each.id for each in found.held] == [held[2].id, held[1].id]
    assert found.held_in_all == 3
    first = found.held[0]
    assert (first.message_type, first.delivery_date) == ("BIRTHDAY", NOW.date())
    assert (first.since, first.error) == (started - 2 * HOUR, "no answer")
    assert first.user_id == column(connection, "user_id", held[2])


# ---- what a person decides


def retry_failed(settings: Settings, ids: list[uuid.UUID], dry_run: bool) -> list[uuid.UUID]:
    return replay.retry_failed(settings, NOW, ids, dry_run)


DECISIONS: dict[Callable[..., list[uuid.UUID]], tuple[Status, Status]] = {
    replay.release_held: (Status.RETRYING, Status.RETRYING),
    replay.record_as_sent: (Status.RETRYING, Status.SENT),
    retry_failed: (Status.FAILED, Status.RETRYING),
}
all_decisions = pytest.mark.parametrize(
    "decide", DECISIONS, ids=lambda decision: decision.__name__.replace("_", " ")
)


def add_for(connection: psycopg.Connection, decide: Callable[..., Any]) -> Reference:
    if DECISIONS[decide][0] is Status.FAILED:
        return add_message(connection, status="FAILED", error_message="answered 401")
    return add_held(connection)


@all_decisions
def test_all_are_meant_or_those_that_are_named(
    settings: Settings, connection: psycopg.Connection, decide: Callable[..., list[uuid.UUID]]
) -> None:
    before, after = DECISIONS[decide]
    some = [add_for(connection, decide) for _ in range(4)]
    for status in set(Status) - {before}:
        add_message(connection, status=status)
    others = statuses(connection)
    named = [some[0].id, some[2].id]
    assert set(decide(settings, [*named, uuid.uuid4()], False)) == set(named)
    assert [column(connection, "status", some[n]) for n in range(4)] == [after, before] * 2
    assert set(decide(settings, [], False)) == {some[1].id, some[3].id}
    others[before] = others.get(before, 0) - 4
    others[after] = others.get(after, 0) + 4
    assert statuses(connection) == {status: count for status, count in others.items() if count}
    # Who decided stands in the row.
    assert queue.person() in column(connection, "error_message", some[0])


@all_decisions
def test_a_dry_run_of_a_decision_says_the_same_and_changes_nothing(
    settings: Settings, connection: psycopg.Connection, decide: Callable[..., list[uuid.UUID]]
) -> None:
    some = {add_for(connection, decide).id for _ in range(3)}
    every = "SELECT message_logs::text FROM message_logs ORDER BY id"
    before = connection.execute(every).fetchall()
    assert set(decide(settings, [], True)) == some
    assert connection.execute(every).fetchall() == before
    assert set(decide(settings, [], False)) == some


@all_decisions
def test_a_second_run_at_the_same_time_finds_nothing_left(
    settings: Settings,
    connection: psycopg.Connection,
    database: str,
    decide: Callable[..., list[uuid.UUID]],
) -> None:
    add_for(connection, decide)
    found: list[list[uuid.UUID]] = []
    with psycopg.connect(database) as first:
        # The first run has written and not committed.
        statement = {
            replay.release_held: rows.release_held,
            replay.record_as_sent: rows.record_as_sent,
        }.get(decide)
        if statement:
            statement(first, None, "ada@here")
        else:
            rows.retry_failed(first, None, "ada@here", NOW, NOW - RULES.look_back)
        second = threading.Thread(target=lambda: found.append(decide(settings, [], False)))
        second.start()
        wait_until_blocked(connection)
        first.commit()
        second.join(HANG)
    assert found == [[]]
    assert connection.execute(
        "SELECT count(*) FROM message_logs WHERE error_message LIKE '%% by ada@here'"
    ).fetchone() == (1,)


def wait_until_blocked(connection: psycopg.Connection) -> None:
    deadline = time.monotonic() + HANG
    statement = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while connection.execute(statement).fetchone() == (0,):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_only_a_person_makes_these_moves() -> None:
    for before, after in DECISIONS.values():
        assert before is after or after in BY_A_PERSON[before]
    for before, moves in BY_A_PERSON.items():
        assert not moves & MOVES[before]


@pytest.mark.parametrize("decide", [replay.release_held, replay.record_as_sent])
def test_a_message_that_waits_for_its_next_attempt_is_not_a_persons_to_decide(
    settings: Settings, connection: psycopg.Connection, decide: Callable[..., list[uuid.UUID]]
) -> None:
    later = datetime.now(UTC) + HOUR
    pausing_itself = add_message(connection, status="RETRYING", next_attempt_at=later)
    at_once = add_message(connection, status="RETRYING")
    assert decide(settings, [], False) == []
    assert decide(settings, [pausing_itself.id, at_once.id], False) == []
    assert statuses(connection) == {"RETRYING": 2}
    assert column(connection, "next_attempt_at", pausing_itself) == later


def test_a_released_message_is_due_at_once_with_its_attempts_counted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    held = add_held(connection, retry_count=3)
    replay.release_held(settings, [])
    assert column(connection, "retry_count", held) == 3
    assert column(connection, "next_attempt_at <= now()", held) is True


def test_a_message_that_was_delivered_was_sent_by_the_attempt_that_was_in_doubt(
    settings: Settings, connection: psycopg.Connection
) -> None:
    once = add_held(connection, updated_at=NOW)
    often = add_held(connection, retry_count=3, updated_at=NOW, last_retry_at=NOW - HOUR)
    replay.record_as_sent(settings, [])
    assert column(connection, "actual_send_time", once) == NOW
    assert column(connection, "actual_send_time", often) == NOW - HOUR
    assert column(connection, "retry_count", once) == 0
    assert column(connection, "retry_count", often) == 2
    said = f"no answer; recorded as sent by {queue.person()}"
    assert column(connection, "error_message", often) == said


def test_a_failed_message_gets_all_attempts_anew(
    settings: Settings, connection: psycopg.Connection
) -> None:
    failed = add_message(connection, status="FAILED", retry_count=7, error_message="answered 503")
    assert replay.retry_failed(settings, NOW, []) == [failed.id]
    assert column(connection, "retry_count", failed) == 0
    assert column(connection, "next_attempt_at <= now()", failed) is True
    said = f"answered 503; tried again by {queue.person()}"
    assert column(connection, "error_message", failed) == said


def test_what_is_too_late_or_of_a_deleted_user_stays_failed(
    settings: Settings, connection: psycopg.Connection
) -> None:
    late = add_message(connection, NOW - 2 * HOUR, "FAILED", expires_in=HOUR)
    # `recover` would fail it again at once.
    old = add_message(connection, NOW - 2 * RULES.look_back, "FAILED", expires_at="infinity")
    withdrawn = add_message(connection, status="FAILED")
    connection.execute(
        "UPDATE users SET deleted_at = now() WHERE id = %s",
        (column(connection, "user_id", withdrawn),),
    )
    kept = [late.id, old.id, withdrawn.id]
    assert replay.retry_failed(settings, NOW, []) == []
    assert replay.retry_failed(settings, NOW, kept) == []
    # By the program's clock: an hour ago it was not too late.
    assert replay.retry_failed(settings, NOW - HOUR - timedelta(seconds=1), []) == [late.id]
