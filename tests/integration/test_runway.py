"""The months reach far enough, or somebody says so before it is too late."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partitions import GUARD, MESSAGES, existing
from birthday_cli.domain.months import Month
from birthday_cli.errors import MissingPartition
from birthday_cli.pipeline.partitions.months import create
from birthday_cli.pipeline.partitions.runway import Runway, runway
from birthday_cli.pipeline.schedule import Step, schedule
from tests.facts import NOW, add_user, planned, statuses

ONLY_PLAN = frozenset({Step.PLAN})


def look(settings: Settings, now: datetime = NOW) -> Runway:
    with connect(settings) as connection:
        return runway(connection, settings, now)


def last_month(connection: psycopg.Connection) -> Month:
    return existing(connection, MESSAGES)[-1].month


def remove(connection: psycopg.Connection, table: str, month: Month) -> None:
    connection.execute(f"DROP TABLE {month.partition_of(table)}".encode())


def test_after_migrate_it_is_a_year_long(settings: Settings) -> None:
    found = look(settings)
    assert found.reaches == Month.of(NOW).plus(13).start
    assert found.needed == NOW + timedelta(hours=48) + timedelta(days=1)
    assert (found.missing, found.problem) == ([], None)


def test_it_is_too_short_a_month_before_a_message_needs_more(
    settings: Settings, connection: psycopg.Connection
) -> None:
    end = last_month(connection).plus(1).start
    # The horizon, a day for the zones, and a month in which to act.
    short = end - timedelta(days=2 + 1 + 31)
    assert look(settings, short - timedelta(seconds=1)).problem is None
    found = look(settings, short)
    assert found.missing == [
        Month.of(end).plus(1).partition_of(GUARD),
        Month.of(end).partition_of(MESSAGES),
    ]
    assert found.problem
    assert f"reach until {end:%Y-%m-%d}" in found.problem
    assert found.problem.endswith("run `bdaysched create-partitions 12`")
    create(settings, short, 12)
    assert look(settings, short).problem is None


def test_the_command_that_is_named_mends_it_whatever_the_horizon(
    settings: Settings,
) -> None:
    far = replace(settings, schedule_horizon=timedelta(days=800).total_seconds())
    found = look(far)
    assert found.problem
    months = int(found.problem.rstrip("`").rpartition(" ")[2])
    create(settings, NOW, months)
    assert look(far).problem is None


@pytest.mark.parametrize("table", [GUARD, MESSAGES])
def test_a_gap_ends_it_in_either_table(
    settings: Settings, connection: psycopg.Connection, table: str
) -> None:
    gap = Month.of(NOW).plus(1)
    remove(connection, table, gap)
    found = look(settings)
    # A local date may lie in the month after that of its instant.
    assert found.reaches == (gap if table == MESSAGES else gap.plus(-1)).start
    assert found.missing == [gap.partition_of(table)]
    assert found.problem


def test_a_month_that_is_half_detached_is_missing(
    settings: Settings, connection: psycopg.Connection, database: str
) -> None:
    month = Month.of(NOW).plus(1)
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        connection.execute("SET lock_timeout = '50ms'")
        name = month.partition_of(MESSAGES)
        detach = f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY".encode()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            connection.execute(detach)
    assert look(settings).reaches == month.start
    assert create(settings, NOW, 12) == [month.partition_of(MESSAGES)]
    assert look(settings).problem is None


def test_schedule_makes_the_months_that_it_needs(
    settings: Settings, connection: psycopg.Connection
) -> None:
    end = last_month(connection).plus(1).start
    now = end - timedelta(days=1)
    add_user(connection, birthday=f"{end:%m-%d}")
    done = schedule(settings, now, ONLY_PLAN)
    assert done.made == [
        Month.of(end).plus(1).partition_of(GUARD),
        Month.of(end).plus(2).partition_of(GUARD),
        Month.of(end).partition_of(MESSAGES),
        Month.of(end).plus(1).partition_of(MESSAGES),
    ]
    assert statuses(connection) == {"SCHEDULED": 1}
    again = schedule(settings, now, ONLY_PLAN)
    assert again.made == []


def test_schedule_plans_and_queues_the_rest_when_it_cannot_make_a_month_and_says_which(
    settings: Settings, connection: psycopg.Connection
) -> None:
    end = last_month(connection).plus(1).start
    now = end - timedelta(hours=12)
    due = add_user(connection, birthday=f"{now:%m-%d}")
    add_user(connection, birthday=f"{end:%m-%d}")
    with (
        connect(settings) as other,
        # Whoever changes the schema now keeps it from making months.
        advisory_lock(other, Lock.SCHEMA),
        pytest.raises(MissingPartition, match=f"no partition for {Month.of(end)}: run `bdaysched"),
    ):
        schedule(settings, now)
    rows = connection.execute("SELECT user_id, status FROM message_logs").fetchall()
    assert rows == [(due, "QUEUED")]
    schedule(settings, now)
    assert len(planned(connection)) == 2


def test_days_that_passed_while_their_month_was_missing_are_recorded_as_missed(
    settings: Settings, connection: psycopg.Connection
) -> None:
    gap = Month.of(NOW).plus(1)
    begin = gap.start - timedelta(hours=18)
    end = gap.plus(1).start
    add_user(connection, birthday=f"{gap.start + timedelta(days=20):%m-%d}")
    schedule(settings, begin - timedelta(days=1), ONLY_PLAN)
    remove(connection, MESSAGES, gap)
    far = replace(settings, schedule_horizon=timedelta(days=40).total_seconds())
    with connect(settings) as other, advisory_lock(other, Lock.SCHEMA):
        # The month after it is planned meanwhile.
        add_user(connection, birthday=f"{end + timedelta(days=1):%m-%d}")
        with pytest.raises(MissingPartition, match=str(gap)):
            schedule(far, begin, ONLY_PLAN)
        assert [day for day, _, _ in planned(connection)] == [(end + timedelta(days=1)).date()]
    done = schedule(settings, gap.start + timedelta(days=25), ONLY_PLAN)
    assert done.planned
    assert done.planned.missed == 1
    assert statuses(connection) == {"FAILED": 1, "SCHEDULED": 1}


def test_a_message_that_moves_into_a_missing_month_is_there_when_the_month_is(
    settings: Settings, connection: psycopg.Connection
) -> None:
    end = last_month(connection).plus(1).start
    now = end - timedelta(days=1)
    # On the first of the month it is 9:00 in Kiritimati while it is still the last in UTC.
    user = add_user(connection, "Pacific/Kiritimati", f"{end:%m-%d}")
    with connect(settings) as other, advisory_lock(other, Lock.SCHEMA):
        with pytest.raises(MissingPartition):
            schedule(settings, now, ONLY_PLAN)
        assert len(planned(connection)) == 1
        connection.execute("UPDATE users SET timezone = 'UTC' WHERE id = %s", (user,))
        with pytest.raises(MissingPartition):
            schedule(settings, now, ONLY_PLAN)
    schedule(settings, now, ONLY_PLAN)
    ((day, at, _),) = planned(connection)
    assert (day, at) == (end.date(), end + timedelta(hours=9))


def test_what_schedule_made_is_in_its_json(
    settings: Settings, connection: psycopg.Connection
) -> None:
    from typer.testing import CliRunner

    from birthday_cli.cli.main import app

    now = last_month(connection).start.astimezone(UTC)
    environment = {"DATABASE_URL": settings.database_url, "BDAYSCHED_NOW": now.isoformat()}
    shown = CliRunner().invoke(app, ["schedule", "--plan", "--json"], env=environment).stdout
    assert Month.of(now).plus(1).partition_of(MESSAGES) in json.loads(shown)["made"]
