from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db import partition_events, surveying
from birthday_cli.domain.months import Month
from birthday_cli.errors import NotUpToDate
from birthday_cli.pipeline.partitions import survey as surveys
from birthday_cli.pipeline.partitions.survey import MonthSeen, State, survey
from tests.facts import NOW, add_message

THIS = Month.of(NOW)
NAME = THIS.partition_of("message_logs")
GONE = THIS.plus(-30)


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no time for counting."""
    monkeypatch.setattr(surveys, "COUNTING", 1e-9)


def of(settings: Settings, month: Month = THIS, exact: bool = False) -> MonthSeen:
    (found,) = (each for each in survey(settings, NOW, exact) if each.month == str(month))
    return found


def fill(connection: psycopg.Connection, sent: int, failed: int = 0) -> None:
    for status in ["SENT"] * sent + ["FAILED"] * failed:
        add_message(connection, status=status)


def detach(connection: psycopg.Connection, name: str = NAME) -> None:
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY")


def test_a_month_has_its_rows_by_status_its_size_and_its_age(
    settings: Settings, connection: psycopg.Connection
) -> None:
    fill(connection, sent=3, failed=1)
    found = of(settings)
    assert (found.partition, found.state, found.age_months) == (NAME, State.ATTACHED, 0)
    assert (found.rows, found.by_status) == (4, {"SENT": 3, "FAILED": 1})
    assert not found.is_estimate
    row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (NAME,)).fetchone()
    assert row == (found.total_bytes,)


def test_months_that_come_are_there_in_their_order(settings: Settings) -> None:
    found = survey(settings, NOW)
    assert [each.month for each in found] == [str(each) for each in THIS.until(THIS.plus(12))]
    assert [each.age_months for each in found] == [-ahead for ahead in range(13)]
    assert {(each.rows, each.is_estimate) for each in found} == {(0, False)}


def test_before_migrate_it_says_so(empty_database: str) -> None:
    with pytest.raises(NotUpToDate, match="bdaysched migrate"):
        survey(Settings(database_url=empty_database), NOW)


def test_a_month_that_is_missing_among_those_that_come_is_shown_as_such(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(f"DROP TABLE {THIS.plus(4).partition_of('message_logs')}")
    assert of(settings, THIS.plus(4)).state is State.MISSING
    assert of(settings, THIS.plus(5)).state is State.ATTACHED


def test_a_default_partition_is_shown(settings: Settings, connection: psycopg.Connection) -> None:
    connection.execute(f"DROP TABLE {NAME}")
    connection.execute("CREATE TABLE message_logs_rest PARTITION OF message_logs DEFAULT")
    add_message(connection, NOW)
    first = survey(settings, NOW)[0]
    assert (first.partition, first.month, first.state) == ("message_logs_rest", None, State.DEFAULT)
    assert first.by_status == {"SCHEDULED": 1}


def test_a_detached_month_tells_since_when(
    settings: Settings, connection: psycopg.Connection
) -> None:
    fill(connection, sent=2)
    detach(connection)
    assert (of(settings).state, of(settings).since) == (State.DETACHED, None)
    before = datetime.now(UTC)
    partition_events.note(connection, NAME, "detached", "me")
    found = of(settings)
    assert found.state is State.DETACHED
    assert found.since
    assert timedelta() <= found.since - before < timedelta(minutes=5)
    assert found.by_status == {"SENT": 2}


def test_an_interrupted_detach_is_shown_as_pending(
    settings: Settings, connection: psycopg.Connection, database: str
) -> None:
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        connection.execute("SET statement_timeout = '500ms'")
        with pytest.raises(errors.QueryCanceled):
            detach(connection)
    assert of(settings).state is State.PENDING


def test_an_archived_month_is_shown_also_when_its_table_is_gone(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = GONE.partition_of("message_logs")
    for event in ("created", "detached"):
        partition_events.note(connection, name, event, "me")
    partition_events.note(connection, name, "archived", "me", {"SENT": 7}, "/archive/it.json")
    partition_events.note(connection, name, "dropped", "me")
    found = of(settings, GONE)
    assert (found.state, found.age_months, found.total_bytes) == (State.ARCHIVED, 30, 0)
    assert (found.rows, found.by_status, found.is_estimate) == (7, {"SENT": 7}, False)
    assert found.archive == "/archive/it.json"
    assert found.archived_at
    assert found.since
    assert found.archived_at < found.since
    assert survey(settings, NOW)[0] == found


def test_a_month_that_was_dropped_without_an_archive_is_shown_as_dropped(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = GONE.partition_of("message_logs")
    partition_events.note(connection, name, "dropped", "me")
    assert (of(settings, GONE).state, of(settings, GONE).rows) == (State.DROPPED, None)
    partition_events.note(connection, name, "dropped", "me", {"SENT": 7, "FAILED": 1})
    assert of(settings, GONE).rows == 8


def test_a_restored_month_is_beside_the_table_or_attached_to_it(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for event in ("detached", "archived", "dropped"):
        partition_events.note(connection, NAME, event, "me", archive="/archive/it.json")
    partition_events.note(connection, NAME, "restored", "me")
    assert (of(settings).state, of(settings).archive) == (State.ATTACHED, "/archive/it.json")
    detach(connection)
    assert of(settings).state is State.RESTORED
    partition_events.note(connection, NAME, "detached", "me")
    assert of(settings).state is State.DETACHED


def test_a_month_that_was_made_anew_has_no_past(
    settings: Settings, connection: psycopg.Connection
) -> None:
    partition_events.note(connection, NAME, "archived", "me", {"SENT": 7}, "/archive/it.json")
    partition_events.note(connection, NAME, "dropped", "me")
    partition_events.note(connection, NAME, "created", "me")
    assert of(settings).archive is None


@pytest.mark.usefixtures("uncounted")
def test_what_there_is_no_time_to_count_is_estimated_and_marked(
    settings: Settings, connection: psycopg.Connection
) -> None:
    fill(connection, sent=3, failed=2)
    connection.execute("ANALYZE message_logs")
    found = of(settings)
    assert found.is_estimate
    assert (found.rows, found.by_status) == (5, {"SENT": 3, "FAILED": 2})
    exact = of(settings, exact=True)
    assert not exact.is_estimate
    assert exact.by_status == {"SENT": 3, "FAILED": 2}


@pytest.mark.usefixtures("uncounted")
def test_what_nothing_is_known_of_is_not_guessed_and_what_has_no_page_is_empty(
    settings: Settings, connection: psycopg.Connection
) -> None:
    fill(connection, sent=3)
    assert (of(settings).rows, of(settings).is_estimate) == (None, True)
    ahead = of(settings, THIS.plus(1))
    assert (ahead.rows, ahead.is_estimate) == (0, False)


@pytest.mark.usefixtures("uncounted")
def test_an_estimate_grows_with_the_table(
    settings: Settings, connection: psycopg.Connection
) -> None:
    fill(connection, sent=3)
    connection.execute("ANALYZE message_logs")
    copy = (
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) SELECT user_id, message_type, repeat('x', 1000), delivery_date + n,"
        " scheduled_send_time FROM message_logs, generate_series(1, 50) AS n"
    )
    connection.execute(copy)
    rows = of(settings).rows
    assert rows
    assert rows > 3


def test_the_months_around_now_are_counted_first(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ahead in range(4):
        add_message(connection, THIS.plus(ahead).start + timedelta(days=14))
    counted: list[str] = []

    def count(_: object, partition: str, *__: object) -> dict[str, int]:
        counted.append(partition)
        return {}

    monkeypatch.setattr(surveying, "count", count)
    survey(settings, THIS.plus(2).start + timedelta(days=14))
    months = [THIS.plus(ahead).partition_of("message_logs") for ahead in (2, 1, 3, 0)]
    assert counted == months


def test_a_table_that_is_locked_or_gone_is_not_counted_and_not_waited_for(
    connection: psycopg.Connection, database: str
) -> None:
    fill(connection, sent=1)
    with psycopg.connect(database) as other:
        other.execute(f"LOCK TABLE {NAME}")
        assert surveying.count(connection, NAME, 0.01) is None
    assert surveying.count(connection, NAME, 0) == {"SENT": 1}
    assert surveying.count(connection, "message_logs_1999_01", 0) is None
