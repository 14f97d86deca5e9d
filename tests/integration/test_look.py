"""What `status` finds out and judges, one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from birthday_cli.brokers.base import Depth
from birthday_cli.config import Settings
from birthday_cli.db.queries import directory
from birthday_cli.errors import DatabaseUnreachable
from birthday_cli.pipeline.looking.status import Status, status
from tests.facts import NOW, add_heartbeat, add_message
from tests.servers.redis import RedisServer


def told(found: Status) -> list[tuple[str, str]]:
    return [(problem.what, problem.command) for problem in found.problems]


@pytest.fixture
def well(settings: Settings, connection: psycopg.Connection) -> Settings:
    """A database of which nothing bad can be said."""
    add_heartbeat(connection)
    add_heartbeat(connection, "scheduler", state="done in 0.3 s")
    return settings


def test_all_is_well(well: Settings, connection: psycopg.Connection) -> None:
    due = NOW - timedelta(hours=2)
    add_message(connection, due, "SENT", actual_send_time=due + timedelta(seconds=2))
    add_message(connection, NOW - timedelta(minutes=1), "QUEUED")
    add_message(connection, NOW + timedelta(hours=1))
    add_message(connection, NOW.replace(hour=23, minute=59))
    add_message(connection, NOW + timedelta(hours=12))  # 0:00 of the next day
    found = status(well, NOW)
    assert found.problems == []
    figures = found.figures
    assert figures.today == {"SENT": 1, "QUEUED": 1, "SCHEDULED": 2}
    assert figures.lateness
    assert (figures.lateness.p50, figures.lateness.worst, figures.lateness.estimated) == (
        2,
        2,
        False,
    )
    assert figures.oldest_unsent == NOW - timedelta(minutes=1)
    assert figures.queue == Depth(ready=1, dead=0)
    latest = max(path.name for path in (directory() / "migrations").glob("*.sql"))
    assert (figures.pending_migrations, figures.schema) == ([], latest[:4])
    assert figures.runway
    assert figures.runway.problem is None
    assert figures.redis == "not set"
    assert [process.kind for process in figures.processes or ()] == ["worker", "scheduler"]


def test_without_a_schema_it_says_so_and_what_it_knows(empty_database: str) -> None:
    found = status(Settings(database_url=empty_database), NOW)
    assert told(found) == [("the schema is missing", "bdaysched migrate")]
    assert (found.figures.today, found.figures.processes) == (None, None)


def test_a_database_that_is_away_is_all_there_is_to_say() -> None:
    with pytest.raises(DatabaseUnreachable):
        status(Settings(database_url="postgresql://me@127.0.0.1:1/nothing"), NOW)


def test_an_older_schema_is_told_with_what_it_cannot_tell(
    well: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DELETE FROM schema_migrations WHERE version >= '0007'")
    connection.execute("DROP TABLE heartbeats")
    found = status(well, NOW)
    (what, command), *_ = told(found)
    assert "0007_heartbeats.sql" in what
    assert command == "bdaysched migrate"
    assert found.figures.processes is None
    assert found.figures.today == {}


def test_a_broker_that_is_away_is_told_without_its_password(well: Settings) -> None:
    found = status(replace(well, broker_url="amqp://me:geheim@127.0.0.1:1/"), NOW)
    ((what, command),) = told(found)
    assert "cannot reach the broker" in what
    assert "geheim" not in what
    assert command == "bdaysched queue status"
    assert found.figures.queue is None
    assert found.figures.today == {}


def test_a_locked_table_is_told_and_the_rest_is_shown(
    well: Settings, connection: psycopg.Connection
) -> None:
    with connection.transaction():
        connection.execute("LOCK TABLE heartbeats")
        found = status(well, NOW)
    assert (
        "the workers cannot be told: canceling statement due to lock timeout",
        "bdaysched monitor locks",
    ) in told(found)
    assert found.figures.processes is None
    assert found.figures.today == {}


Harm = Callable[[psycopg.Connection], object]


def _late(connection: psycopg.Connection) -> None:
    add_message(connection, NOW - timedelta(minutes=6), "QUEUED")


def _late_without_workers(connection: psycopg.Connection) -> None:
    _late(connection)
    connection.execute("DELETE FROM heartbeats WHERE kind = 'worker'")


def _sent_late(connection: psycopg.Connection) -> None:
    add_message(connection, NOW, "SENT", actual_send_time=NOW + timedelta(minutes=3))


PAST = datetime.now(UTC) - timedelta(hours=1)
HARMS: dict[str, tuple[Harm, str, str]] = {
    "paused": (
        lambda connection: connection.execute("INSERT INTO queue_pause (paused_by) VALUES ('eve')"),
        "eve paused all workers without end",
        "bdaysched queue resume",
    ),
    "no worker": (
        _late_without_workers,
        "no worker runs, and messages are due",
        "bdaysched run-worker",
    ),
    "late": (_late, "messages wait that were due at", "bdaysched monitor stuck"),
    "silent worker": (
        lambda connection: add_heartbeat(connection, pid=66, stale_at=PAST),
        "worker here 66 fell silent",
        "bdaysched monitor workers",
    ),
    "no schedule": (
        lambda connection: connection.execute("DELETE FROM heartbeats WHERE kind = 'scheduler'"),
        "schedule has not run in the last day",
        "bdaysched schedule",
    ),
    "stale schedule": (
        lambda connection: connection.execute(
            "UPDATE heartbeats SET stale_at = %s WHERE kind = 'scheduler'", (PAST,)
        ),
        "schedule has not run since 20",
        "bdaysched schedule",
    ),
    "failed schedule": (
        lambda connection: connection.execute(
            "UPDATE heartbeats SET failed = 1, state = 'failed: no' WHERE kind = 'scheduler'"
        ),
        "schedule on here failed: no",
        "bdaysched schedule",
    ),
    "failed messages": (
        lambda connection: add_message(connection, NOW, "FAILED"),
        "1 messages of today FAILED",
        "bdaysched audit",
    ),
    "late messages": (
        _sent_late,
        "1 in 100 messages of today was late by 180 s or more",
        "bdaysched monitor lateness",
    ),
    "a month": (
        lambda connection: connection.execute(
            f"DROP TABLE message_logs_{NOW + timedelta(days=31):%Y_%m}"
        ),
        f"no message_logs_{NOW + timedelta(days=31):%Y_%m}",
        "bdaysched create-partitions 12",
    ),
}


@pytest.mark.parametrize("name", HARMS)
def test_what_is_wrong_comes_first_with_the_command_for_it(
    well: Settings, connection: psycopg.Connection, name: str
) -> None:
    harm, what, command = HARMS[name]
    harm(connection)
    first = told(status(well, NOW))[0]
    assert first[0].startswith(what)
    assert first[1] == command


def test_a_worker_less_day_without_work_is_well(
    well: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DELETE FROM heartbeats WHERE kind = 'worker'")
    assert status(well, NOW).problems == []


def test_what_is_to_be_tried_later_is_not_late(
    well: Settings, connection: psycopg.Connection
) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    for moment in (later, "infinity"):
        add_message(connection, NOW - timedelta(hours=1), "RETRYING", next_attempt_at=moment)
    found = status(well, NOW)
    assert found.figures.oldest_unsent is None
    assert found.problems == []


def test_redis_is_asked(well: Settings, redis_server: RedisServer) -> None:
    found = status(replace(well, redis_url=redis_server.url), NOW)
    assert (found.figures.redis, found.problems) == ("ok", [])


@pytest.mark.parametrize("url", ["redis://:geheim@127.0.0.1:1", "not-a-url"])
def test_redis_that_is_away_is_shown_and_is_no_failure(well: Settings, url: str) -> None:
    ((what, _),) = told(status(replace(well, redis_url=url), NOW))
    assert what.startswith("Redis is unreachable: ")
    assert "geheim" not in what
