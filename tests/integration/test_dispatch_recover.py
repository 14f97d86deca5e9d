from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from birthday_cli.brokers.memory import MemoryBroker, MemoryQueue
from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_async
from birthday_cli.pipeline.dispatch import Dispatched, dispatch
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.recover import Recovered, recover
from tests.facts import NOW, RULES, add_message, column, statuses

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("database")


async def run_dispatch(settings: Settings, queue: MemoryQueue) -> Dispatched:
    async with connect_async(settings.database_url, settings) as connection:
        return await dispatch(connection, MemoryBroker(queue), settings, NOW)


async def run_recover(settings: Settings, queue: MemoryQueue) -> Recovered:
    async with connect_async(settings.database_url, settings) as connection:
        return await recover(connection, MemoryBroker(queue), settings, NOW)


async def test_what_is_due_is_queued_oldest_first_and_the_rest_stays(
    settings: Settings, connection: psycopg.Connection
) -> None:
    second = add_message(connection, NOW - HOUR)
    first = add_message(connection, NOW - 2 * HOUR)
    retry = add_message(connection, NOW - HOUR / 2, "RETRYING", next_attempt_at=NOW - HOUR)
    connection.execute("UPDATE message_logs SET next_attempt_at = now() WHERE status = 'RETRYING'")
    coming = add_message(connection, NOW + HOUR)
    pausing = add_message(connection, NOW, "RETRYING")
    connection.execute(
        "UPDATE message_logs SET next_attempt_at = now() + '1 h' WHERE id = %s", (pausing.id,)
    )
    late = add_message(connection, NOW - 5 * HOUR, expires_in=HOUR)
    sent = add_message(connection, NOW - HOUR, "SENT")
    queue = MemoryQueue()
    assert await run_dispatch(settings, queue) == Dispatched(queued=3, unconfirmed=0)
    assert list(queue.ready) == [first, second, retry]
    for reference, status in (
        (first, "QUEUED"),
        (second, "QUEUED"),
        (retry, "QUEUED"),
        (coming, "SCHEDULED"),
        (pausing, "RETRYING"),
        (late, "SCHEDULED"),
        (sent, "SENT"),
    ):
        assert column(connection, "status", reference) == status
    assert await run_dispatch(settings, queue) == Dispatched(0, 0)


async def test_only_what_the_broker_confirmed_is_queued(
    settings: Settings, connection: psycopg.Connection
) -> None:
    confirmed, returned = add_message(connection), add_message(connection)
    queue = MemoryQueue()
    queue.unroutable.add(returned)
    assert await run_dispatch(settings, queue) == Dispatched(queued=1, unconfirmed=1)
    assert column(connection, "status", confirmed) == "QUEUED"
    assert column(connection, "status", returned) == "SCHEDULED"
    queue.unroutable.clear()
    assert await run_dispatch(settings, queue) == Dispatched(queued=1, unconfirmed=0)


async def test_more_than_a_batch_goes_out_once_each(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        "INSERT INTO users (first_name, last_name, email, timezone)"
        " SELECT 'a', 'b', n || '@example.com', 'UTC' FROM generate_series(1, 10500) AS n"
    )
    connection.execute(
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) SELECT id, 'BIRTHDAY', 'x', %s, %s FROM users",
        (NOW.date(), NOW),
    )
    queue = MemoryQueue()
    assert await run_dispatch(settings, queue) == Dispatched(queued=10_500, unconfirmed=0)
    assert len(set(queue.ready)) == len(queue.ready) == 10_500


def test_due_rows_are_looked_for_in_their_months_only(connection: psycopg.Connection) -> None:
    from birthday_cli.db.queries import query

    months.create_locked(connection, NOW, 1, months_back=3)
    plan = connection.execute(
        "EXPLAIN " + query("messages/list_due"),
        {
            "quiet_zones": [],
            "since": NOW - RULES.look_back,
            "now": NOW,
            "after_time": NOW - RULES.look_back,
            "after_id": "00000000-0000-0000-0000-000000000000",
            "limit": 1000,
        },
    ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert f"message_logs_{NOW:%Y_%m}" in text
    assert text.count(" on message_logs_") == 1


async def test_a_dead_workers_messages_come_back_with_their_claim_fenced_off(
    settings: Settings, connection: psycopg.Connection
) -> None:
    dead, alive = (
        add_message(connection, status="SENDING"),
        add_message(connection, status="SENDING"),
    )
    last = add_message(connection, status="SENDING", retry_count=settings.worker_max_attempts - 1)
    over = add_message(connection, NOW - 9 * HOUR, "SENDING", expires_in=HOUR)
    connection.execute("UPDATE message_logs SET lease_expires_at = now() - '1 s'::interval")
    connection.execute(
        "UPDATE message_logs SET lease_expires_at = now() + '1 h' WHERE id = %s", (alive.id,)
    )
    assert await run_recover(settings, MemoryQueue()) == Recovered(
        expired=2, withdrawn=0, taken_back=1, requeued=0
    )
    assert column(connection, "status", dead) == "RETRYING"
    assert column(connection, "retry_count", dead) == 1
    assert "unknown" in column(connection, "error_message", dead)
    assert column(connection, "status", alive) == "SENDING"
    assert column(connection, "status", last) == "FAILED"
    assert column(connection, "status", over) == "FAILED"
    assert (await run_dispatch(settings, MemoryQueue())).queued == 1


@pytest.mark.parametrize("status", ["SCHEDULED", "RETRYING", "QUEUED"])
async def test_what_is_too_late_by_the_users_day_fails_and_says_so(
    settings: Settings, connection: psycopg.Connection, status: str
) -> None:
    over = add_message(connection, NOW - 9 * HOUR, status, expires_in=HOUR)
    ancient = add_message(connection, NOW - 2 * RULES.look_back, status, expires_at="infinity")
    fine = add_message(connection, NOW - 9 * HOUR, status, expires_in=10 * HOUR)
    recovered = await run_recover(settings, MemoryQueue())
    assert recovered.expired == 2
    for reference in (over, ancient):
        assert column(connection, "status", reference) == "FAILED"
        assert column(connection, "error_message", reference).startswith("expired")
    assert column(connection, "status", fine) == status


@pytest.mark.parametrize("status", ["SCHEDULED", "RETRYING"])
async def test_nothing_is_sent_to_a_user_who_was_deleted(
    settings: Settings, connection: psycopg.Connection, status: str
) -> None:
    gone, there = add_message(connection, status=status), add_message(connection, status=status)
    coming = add_message(connection, NOW + HOUR)
    for reference in (gone, coming):
        connection.execute(
            "UPDATE users SET deleted_at = now() WHERE id = %s",
            (column(connection, "user_id", reference),),
        )
    assert (await run_recover(settings, MemoryQueue())).withdrawn == 1
    assert column(connection, "status", gone) == "FAILED"
    assert column(connection, "error_message", gone) == "withdrawn: the user was deleted"
    assert column(connection, "status", there) == status
    assert column(connection, "status", coming) == "SCHEDULED"


async def test_a_reference_that_the_broker_lost_is_queued_anew(
    settings: Settings, connection: psycopg.Connection
) -> None:
    lost, fresh = add_message(connection, status="QUEUED"), add_message(connection, status="QUEUED")
    connection.execute(
        "UPDATE message_logs SET updated_at = now() - '1 day'::interval WHERE id = %s", (lost.id,)
    )
    full = MemoryQueue()
    full.ready.extend([lost, fresh])
    assert (await run_recover(settings, full)).requeued == 0
    assert (await run_recover(settings, MemoryQueue())).requeued == 1
    assert column(connection, "status", lost) == "SCHEDULED"
    assert column(connection, "status", fresh) == "QUEUED"
    assert statuses(connection) == {"SCHEDULED": 1, "QUEUED": 1}
