"""A row that takes long in the database holds up no other one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.worker.at_most import AtMost
from tests.facts import column, statuses
from tests.servers.receiver import Answer, Received, Receiver
from tests.working import Brokers, queued, until, worker

LOCK = "SELECT FROM message_logs WHERE id = %s AND scheduled_send_time = %s FOR UPDATE"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture
async def running(worker_settings: Settings) -> AsyncIterator[Worker]:
    async with worker(worker_settings) as own, asyncio.timeout(60):
        task = asyncio.create_task(own.run())
        yield own
        own.stop()
        await task


async def others_are_sent_while_it_waits(
    connection: psycopg.Connection, brokers: Brokers, locked: Reference
) -> None:
    def waits() -> bool:
        row = connection.execute(WAITING).fetchone()
        return bool(row and row[0])

    await until(waits)
    for number in (1, 2, 3):
        others = queued(connection, brokers)
        await brokers.opened[-1].publish([])  # rings the bell
        await until(lambda sent=number: statuses(connection).get("SENT") == sent)  # type: ignore[misc]
        assert column(connection, "status", others[0]) == "SENT"
    assert column(connection, "status", locked) != "SENT"


async def test_a_row_that_cannot_be_claimed_yet_holds_up_no_other(
    running: Worker, brokers: Brokers, connection: psycopg.Connection, database: str
) -> None:
    with psycopg.connect(database) as other:
        [locked] = queued(connection, brokers)
        other.execute(LOCK, locked)
        await others_are_sent_while_it_waits(connection, brokers, locked)
    await running.settled(4)
    assert statuses(connection) == {"SENT": 4}


async def test_a_result_that_cannot_be_recorded_yet_holds_up_no_other(
    running: Worker,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
    database: str,
) -> None:
    with psycopg.connect(database) as other:

        async def lock(_: Received) -> Answer:
            other.execute(LOCK, locked)
            return Answer()

        receiver.answers.append(lock)
        [locked] = queued(connection, brokers)
        await others_are_sent_while_it_waits(connection, brokers, locked)
    await running.settled(4)
    assert statuses(connection) == {"SENT": 4}


async def test_no_more_run_at_once_than_there_may() -> None:
    claims, going, most = AtMost(2), 0, 0

    async def work() -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0)
        going -= 1

    for _ in range(5):
        await claims.room()
        claims.start(work())
    await claims.finish()
    assert (going, most) == (0, 2)


async def test_a_failure_is_raised_to_who_asks_for_room() -> None:
    claims = AtMost(2)

    async def fail() -> None:
        raise ValueError("no")

    claims.start(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await claims.room()
    await claims.finish()
