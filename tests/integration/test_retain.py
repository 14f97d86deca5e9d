"""Months that are over: detached, kept apart, dropped; and never with what is not finished."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db import partition_events, partitions
from birthday_cli.db.connect import connect
from birthday_cli.db.partitions import MESSAGES, State
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError, MissingPartition, NotUpToDate
from birthday_cli.pipeline.partitions.archive import verify
from birthday_cli.pipeline.partitions.months import create, create_locked
from birthday_cli.pipeline.retain import Retained, drop, expired
from birthday_cli.pipeline.schedule import Step, schedule
from tests.facts import NOW, add_message, add_user, column, statuses

THIS = Month.of(NOW)
NAME = THIS.partition_of(MESSAGES)
NEXT = THIS.plus(1).partition_of(MESSAGES)
LATER = THIS.plus(3).start + timedelta(days=14)
NONE = timedelta()
WEEK = timedelta(days=7)


def attached(connection: psycopg.Connection) -> list[str]:
    months = partitions.existing(connection, MESSAGES)
    return [month.name for month in months if month.state is State.ATTACHED]


def is_there(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,)


def events(connection: psycopg.Connection, name: str = NAME) -> list[str]:
    kinds = [event.event for event in partition_events.of(connection, name)]
    return [str(kind) for kind in kinds if kind != "created"]


def days_pass(connection: psycopg.Connection, days: float) -> None:
    connection.execute(
        "UPDATE partition_events SET happened_at = happened_at - make_interval(hours => %s)",
        (round(days * 24),),
    )


def names(done: Retained) -> tuple[list[str], list[str]]:
    return [each.partition for each in done.dropped], [each.partition for each in done.detached]


def test_before_migrate_it_says_so(empty_database: str) -> None:
    for command in (expired, drop):
        with pytest.raises(NotUpToDate, match="bdaysched migrate"):
            command(Settings(database_url=empty_database), NOW, 1)


def test_what_is_over_is_told_with_its_rows_and_size(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for status in ("SENT", "SENT", "FAILED", "RETRYING"):
        add_message(connection, status=status)
    (first, second), left = expired(settings, LATER, 1)
    assert (first.partition, second.partition, left) == (NAME, NEXT, 0)
    assert first.rows == {"FAILED": 1, "RETRYING": 1, "SENT": 2}
    assert (first.unfinished, first.state, first.drops_from) == (1, State.ATTACHED, None)
    size = connection.execute("SELECT pg_total_relation_size(%s)", (NAME,)).fetchone()
    assert (first.bytes,) == size
    assert first.bytes > second.bytes > 0


def test_a_month_is_detached_and_dropped_when_its_grace_period_is_over(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, status="SENT")
    assert names(drop(settings, LATER, 1)) == ([], [NAME, NEXT])
    assert attached(connection)[0] == THIS.plus(2).partition_of(MESSAGES)
    days_pass(connection, 6.9)
    assert names(drop(settings, LATER, 1)) == ([], [NAME, NEXT])
    assert is_there(connection, NAME)
    days_pass(connection, 0.2)
    assert names(drop(settings, LATER, 1)) == ([NAME, NEXT], [])
    assert not is_there(connection, NAME)
    assert drop(settings, LATER, 1) == Retained()
    assert events(connection) == ["detached", "dropped"]
    detached, dropped = partition_events.of(connection, NAME)[-2:]
    assert detached.rows == dropped.rows == {"SENT": 1}
    assert dropped.done_by == connection.info.user


def test_without_a_grace_period_it_is_dropped_at_once(
    settings: Settings, connection: psycopg.Connection
) -> None:
    assert names(drop(settings, LATER, 1, NONE)) == ([NAME, NEXT], [])
    assert not is_there(connection, NAME)


def test_after_a_month_has_left_the_planner_knows_what_the_others_hold(
    settings: Settings, connection: psycopg.Connection
) -> None:
    known = "SELECT count(*) FROM pg_stats WHERE tablename = 'message_logs' AND inherited"
    add_message(connection, due=LATER)
    assert connection.execute(known).fetchone() == (0,)
    drop(settings, LATER, 1)
    assert connection.execute(known).fetchone() != (0,)


def test_a_replay_of_planning_for_a_dropped_month_plans_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    user = add_user(connection, birthday=f"{NOW:%m-%d}")
    only_plan = frozenset({Step.PLAN})
    begin = NOW - timedelta(days=1)
    create_locked(connection, begin, 0)
    schedule(settings, begin, only_plan)
    assert statuses(connection) == {"SCHEDULED": 1}
    connection.execute("UPDATE message_logs SET status = 'SENT'")
    drop(settings, LATER, 1, NONE)
    assert not is_there(connection, NAME)
    # As if it had never been planned, and the month is made anew.
    connection.execute("DELETE FROM planned_mornings")
    create(settings, begin, 1)
    done = schedule(settings, begin, only_plan, full=True)
    assert done.planned
    assert set(done.planned.new.values()) == {0}
    with pytest.raises(errors.UniqueViolation):
        add_message(connection, user_id=user)
    assert statuses(connection) == {}


def test_a_month_that_is_made_again_before_it_is_dropped_keeps_its_rows(
    settings: Settings, connection: psycopg.Connection
) -> None:
    message = add_message(connection, status="SENT")
    drop(settings, LATER, 1)
    create(settings, NOW, 1)
    assert column(connection, "status", message) == "SENT"
    assert events(connection) == ["detached", "restored"]
    # Its grace period begins anew, though it was detached before.
    days_pass(connection, 8)
    assert names(drop(settings, LATER, 1)) == ([], [NAME, NEXT])


def test_unfinished_messages_are_not_dropped_unless_forced_and_that_is_noted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for status in ("RETRYING", "SENT", "QUEUED"):
        add_message(connection, status=status)
    with pytest.raises(
        BdayschedError, match=r"holds 2 .*\(1 QUEUED, 1 RETRYING, 1 SENT\).*--force"
    ):
        drop(settings, LATER, 1)
    assert attached(connection)[0] == NAME
    assert names(drop(settings, LATER, 1, force=True)) == ([], [NAME, NEXT])
    days_pass(connection, 8)
    # Whoever forced it has decided: the run a week later is cron's.
    assert names(drop(settings, LATER, 1)) == ([NAME, NEXT], [])
    forced = {
        (event.partition, str(event.event)): event.forced
        for name in (NAME, NEXT)
        for event in partition_events.of(connection, name)
    }
    assert forced[NAME, "detached"]
    assert forced[NAME, "dropped"]
    assert not forced[NEXT, "detached"]


def test_one_unfinished_month_stops_the_run_before_anything_is_done(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, due=NOW + timedelta(days=32), status="SENDING")
    with pytest.raises(BdayschedError, match=NEXT):
        drop(settings, LATER, 1, NONE)
    assert attached(connection)[0] == NAME


def test_a_message_that_comes_alive_while_its_month_is_detached_brings_it_back(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`queue replay --failed` may be faster than the detaching."""
    message = add_message(connection, status="FAILED")
    detach = partitions.detach

    def replayed_before(*arguments: object) -> None:
        connection.execute("UPDATE message_logs SET status = 'RETRYING'")
        detach(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(partitions, "detach", replayed_before)
    with pytest.raises(BdayschedError, match="1 RETRYING"):
        drop(settings, LATER, 1, NONE)
    assert column(connection, "status", message) == "RETRYING"


def test_no_more_than_the_oldest_few_are_taken_at_once(
    settings: Settings, connection: psycopg.Connection
) -> None:
    later = THIS.plus(7).start
    done = drop(settings, later, 1)
    assert names(done) == ([], [THIS.plus(count).partition_of(MESSAGES) for count in range(3)])
    assert done.left == 2
    # Those that wait are among the few.
    assert names(drop(settings, later, 1)) == names(done)
    days_pass(connection, 8)
    assert len(drop(settings, later, 1, maximum=1).dropped) == 1
    assert len(drop(settings, later, 1, NONE, maximum=10).dropped) == 4


def test_with_an_archive_it_is_written_when_the_grace_period_is_over_and_then_dropped(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    message = add_message(connection, status="SENT")
    add_message(connection, status="SENT")
    to = str(tmp_path / "kept")
    drop(settings, LATER, 1, archive=to)
    assert not (tmp_path / "kept").exists()
    days_pass(connection, 8)
    # Who is erased meanwhile is in no archive.
    connection.execute(f"DELETE FROM {NAME} WHERE id = %s".encode(), (message.id,))
    first = drop(settings, LATER, 1, archive=to).dropped[0]
    assert first.archive == str(tmp_path / "kept" / f"{NAME}.manifest.json")
    assert verify(first.archive).rows_by_status == {"SENT": 1}
    assert events(connection) == ["detached", "archived", "dropped"]
    assert not is_there(connection, NAME)


def test_what_cannot_be_archived_is_not_dropped(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    add_message(connection, status="SENT")
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(BdayschedError, match=str(in_the_way)):
        drop(settings, LATER, 1, NONE, archive=str(in_the_way))
    assert partitions.count_by_status(connection, NAME) == {"SENT": 1}
    assert events(connection) == ["detached"]


def test_a_place_that_nothing_here_can_write_to_is_refused_before_anything_is_detached(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with pytest.raises(BdayschedError, match="nowhere"):
        drop(settings, LATER, 1, archive="nowhere://bucket")
    assert attached(connection)[0] == NAME


def test_the_current_month_and_in_the_west_yesterdays_is_never_over(settings: Settings) -> None:
    first = THIS.plus(3)
    assert [month.partition for month in expired(settings, first.start, 0)[0]][-1] == (
        first.plus(-2).partition_of(MESSAGES)
    )
    late = first.start + timedelta(hours=37)
    assert [month.partition for month in expired(settings, late, 0)[0]][-1] == (
        first.plus(-1).partition_of(MESSAGES)
    )


def test_a_month_detached_by_hand_waits_from_when_it_was_first_seen(
    settings: Settings, connection: psycopg.Connection
) -> None:
    days_pass(connection, 30)
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {NAME} CONCURRENTLY".encode())
    assert expired(settings, LATER, 1)[0][0].drops_from is None
    assert names(drop(settings, LATER, 1)) == ([], [NAME, NEXT])
    assert events(connection) == ["detached"]
    days_pass(connection, 8)
    assert names(drop(settings, LATER, 1)) == ([NAME, NEXT], [])


def test_a_month_made_by_hand_is_known_again_when_it_is_detached(
    settings: Settings, connection: psycopg.Connection
) -> None:
    month = THIS.plus(-1)
    name = month.partition_of(MESSAGES)
    connection.execute(
        f"CREATE TABLE {name} PARTITION OF message_logs"
        f" FOR VALUES FROM ('{month.start}') TO ('{THIS.start}')".encode()
    )
    assert names(drop(settings, NOW + timedelta(days=10), 0)) == ([], [name])
    days_pass(connection, 8)
    assert names(drop(settings, NOW + timedelta(days=10), 0)) == ([name], [])


def test_a_month_under_another_name_is_left_alone_and_the_command_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(f"ALTER TABLE {NAME} RENAME TO message_logs_old".encode())
    with pytest.raises(BdayschedError, match=f"ALTER TABLE message_logs_old RENAME TO {NAME}"):
        drop(settings, LATER, 1)


@pytest.fixture
def half_detached(connection: psycopg.Connection, database: str) -> None:
    """Detaching the current month is interrupted while it waits for a reader."""
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(errors.QueryCanceled):
            connection.execute(
                f"ALTER TABLE message_logs DETACH PARTITION {NAME} CONCURRENTLY".encode()
            )
        connection.execute("RESET statement_timeout")


@pytest.mark.usefixtures("half_detached")
def test_an_interrupted_detach_is_completed(settings: Settings) -> None:
    assert expired(settings, LATER, 1)[0][0].state is State.PENDING
    assert names(drop(settings, LATER, 1, NONE)) == ([NAME, NEXT], [])


def test_an_interrupted_detach_is_undone_by_what_makes_months(
    settings: Settings, connection: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    message = add_message(connection, status="SENT")
    request.getfixturevalue("half_detached")
    assert NAME not in attached(connection)
    assert create(settings, NOW, 1) == [NAME]
    assert column(connection, "status", message) == "SENT"


def test_what_makes_months_never_drops_one(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection, status="SENT")
    drop(settings, LATER, 1)
    days_pass(connection, 100)
    create(settings, LATER, 24)
    schedule(settings, LATER)
    assert is_there(connection, NAME)


def test_while_planning_needs_a_month_it_is_not_over(settings: Settings) -> None:
    """The oldest month that is kept is one that planning may still write to."""
    first = THIS.plus(2)
    drop(settings, first.start, 0, NONE)
    try:
        schedule(settings, first.start, frozenset({Step.PLAN}))
    except MissingPartition as problem:
        pytest.fail(str(problem))


def test_erasing_a_user_reaches_detached_months_until_they_are_dropped(
    settings: Settings, connection: psycopg.Connection
) -> None:
    from birthday_cli.db import erasing

    user = add_user(connection)
    add_message(connection, status="SENT", user_id=user)
    drop(settings, LATER, 1)
    with connect(settings) as ours, ours.transaction():
        rows = erasing.erase(ours, user)
    assert rows
    assert rows[NAME] == 1
