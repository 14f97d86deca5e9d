"""After a stop: what still goes out, when, in which order, and what is given up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from birthday_cli.brokers.memory import MemoryBroker, MemoryQueue
from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db.connect import connect_async, open_pool
from birthday_cli.domain import rules
from birthday_cli.domain.message import Reference
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.dispatch import dispatch
from birthday_cli.pipeline.plan import plan
from birthday_cli.pipeline.recover import recover
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, add_user, column, planned, statuses
from tests.servers.receiver import Receiver

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TOKYO = ZoneInfo("Asia/Tokyo")


async def catch_up(settings: Settings, now: datetime) -> list[Reference]:
    """Recover and dispatch at now; return what was queued, in its order."""
    queue = MemoryQueue()
    async with connect_async(settings.database_url, settings) as connection:
        await recover(connection, MemoryBroker(queue), settings, now)
        await dispatch(connection, MemoryBroker(queue), settings, now)
    return list(queue.ready)


async def deliver(settings: Settings, receiver: Receiver, now: datetime) -> Delivered:
    settings = replace(settings, delivery_url=receiver.url)
    async with (
        connect_channel(settings) as channel,
        open_pool(settings.database_url, settings) as pool,
    ):
        worker = Worker(settings, settings.database_url, pool, channel, Clock(now))
        return await worker.run(until_empty=True)


def plan_at(settings: Settings, connection: psycopg.Connection, now: datetime) -> None:
    plan(connection, now, 2 * DAY, rules.of(settings))


def local(hour: int, zone: ZoneInfo = TOKYO, days: int = 0) -> datetime:
    return (NOW + days * DAY).replace(hour=hour, tzinfo=zone).astimezone(UTC)


async def test_after_a_stop_the_oldest_go_first(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "Europe/Berlin"):
        add_user(connection, zone, f"{NOW:%m-%d}", first_name=zone)
    plan_at(settings, connection, NOW - DAY)
    # It is 23:00 in Tokyo and 9:00 in New York.
    queued = await catch_up(settings, local(9, ZoneInfo("America/New_York")))
    texts = [column(connection, "message_content", reference).split()[2] for reference in queued]
    assert texts == ["Asia/Tokyo", "Europe/Berlin", "America/New_York"]


async def test_what_is_past_the_user_s_own_day_fails_and_says_so(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection, "Asia/Tokyo", f"{NOW:%m-%d}")
    plan_at(settings, connection, NOW - DAY)
    assert await catch_up(settings, local(23) + HOUR - timedelta(seconds=1))
    connection.execute("UPDATE message_logs SET status = 'SCHEDULED'")
    assert await catch_up(settings, local(23) + HOUR) == []
    assert statuses(connection) == {"FAILED": 1}
    [said] = connection.execute("SELECT error_message FROM message_logs").fetchall()
    assert said == (
        f"expired: due at {NOW:%Y-%m-%d}T00:00Z and not sent by {NOW:%Y-%m-%d}T15:00Z,"
        " when it became too late",
    )


@pytest.mark.parametrize(("minutes", "status"), [(29, "QUEUED"), (30, "FAILED")])
async def test_the_allowed_lateness_can_be_set(
    settings: Settings, connection: psycopg.Connection, minutes: int, status: str
) -> None:
    strict = replace(settings, max_lateness=30 * 60)
    add_user(connection, "Asia/Tokyo", f"{NOW:%m-%d}")
    plan_at(strict, connection, NOW - DAY)
    await catch_up(strict, local(9) + timedelta(minutes=minutes))
    assert statuses(connection) == {status: 1}


async def test_a_long_lateness_still_leaves_the_night_alone(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver
) -> None:
    patient = replace(settings, max_lateness=(2 * DAY).total_seconds())
    add_user(connection, "Asia/Tokyo", f"{NOW:%m-%d}")
    plan_at(patient, connection, NOW - DAY)
    for night in (local(0, days=1), local(3, days=1), local(8, days=1) - timedelta(seconds=60)):
        assert await catch_up(patient, night) == []
    assert statuses(connection) == {"SCHEDULED": 1}
    assert len(await catch_up(patient, local(8, days=1))) == 1
    # Queued by day, but received by a worker at night: a backlog, or a retry.
    assert (await deliver(patient, receiver, local(3, days=1))).skipped == 1
    assert receiver.received == []
    assert statuses(connection).keys() <= {"QUEUED", "SCHEDULED"}
    await catch_up(patient, local(8, days=1))
    assert (await deliver(patient, receiver, local(8, days=1))).sent == 1


async def test_it_is_the_user_s_night_that_counts(
    settings: Settings, connection: psycopg.Connection
) -> None:
    patient = replace(settings, max_lateness=(2 * DAY).total_seconds())
    for zone in ("Asia/Tokyo", "Europe/London"):
        add_user(connection, zone, f"{NOW:%m-%d}", first_name=zone)
    plan_at(patient, connection, NOW - DAY)
    # 3:00 in Tokyo is an evening in London.
    assert len(await catch_up(patient, local(3, days=1))) == 1
    assert statuses(connection) == {"QUEUED": 1, "SCHEDULED": 1}
    awake = replace(patient, quiet_hours="off")
    assert len(await catch_up(awake, local(3, days=1))) == 1


async def test_catching_up_after_days(settings: Settings, connection: psycopg.Connection) -> None:
    patient = replace(settings, max_lateness=(4 * DAY).total_seconds())
    for days in range(-6, 1):
        add_user(connection, "Europe/London", f"{NOW + days * DAY:%m-%d}")
    connection.execute("UPDATE users SET created_at = '2020-01-01'")
    plan_at(patient, connection, NOW - 6 * DAY)
    # Nothing ran for six days: what was planned then, and what would have been since.
    plan_at(patient, connection, NOW)
    queued = await catch_up(patient, NOW)
    times = [reference.scheduled_send_time for reference in queued]
    assert times == sorted(times)
    assert [time.date() for time in times] == [(NOW + days * DAY).date() for days in range(-3, 1)]
    assert statuses(connection) == {"QUEUED": 4, "FAILED": 3}
    assert len(planned(connection)) == 7
