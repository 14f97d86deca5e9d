"""When a worker takes nothing: the receiver is down, or it is paused; and what it holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_async
from birthday_cli.domain import breaker
from birthday_cli.domain import rules as ruling
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.recover import Recovered, recover
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, column, statuses
from tests.servers.receiver import Answer, Received, Receiver
from tests.working import Brokers, queued, run, until, worker

DOWN = Answer(503)


@pytest.fixture
def few_failures(worker_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(breaker, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(breaker, "_LONGEST_PAUSE", 0.1)
    return replace(worker_settings, worker_breaker=5, worker_concurrency=4)


async def test_while_the_receiver_is_down_attempts_are_not_burned(
    few_failures: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 100)
    receiver.answer = DOWN
    probes = 4
    async with worker(few_failures) as own, asyncio.timeout(60):
        running = asyncio.create_task(own.run())
        opened = few_failures.worker_breaker + few_failures.worker_concurrency
        await receiver.wait_for(opened + probes)
        tried = len(receiver.received)
        receiver.answer = Answer()
        await own.settled(100 + own.delivered.handed_back)
        assert not own.gate.receiver_is_down
        own.stop()
        delivered = await running
    # One at a time tests the water; all the others went on as they were, and none is missing.
    assert delivered.retrying == tried
    assert delivered.sent == 100 - tried
    assert statuses(connection) == {"SENT": 100 - tried, "RETRYING": tried}
    assert set(receiver.keys.values()) == {1}


async def test_a_probe_is_alone(
    few_failures: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 60)
    receiver.answer = DOWN
    at_once = most = 0

    async def count(_request: Received) -> Answer:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return DOWN

    async with worker(few_failures) as own, asyncio.timeout(60):
        running = asyncio.create_task(own.run())
        await until(lambda: own.gate.receiver_is_down and not own.under_way)
        seen = len(receiver.received)
        receiver.answer = count
        await receiver.wait_for(seen + 4)
        own.stop()
        await running
    assert most == 1


async def test_failures_that_are_not_all_do_not_stop_it(
    few_failures: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 60)
    receiver.answers.extend([DOWN, Answer(400), Answer()] * 20)
    assert await run(replace(few_failures, worker_concurrency=1)) == Delivered(
        sent=20, retrying=20, failed=20
    )


async def test_until_empty_does_not_wait_for_a_receiver_that_is_down(
    few_failures: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 100)
    await receiver.stop()
    delivered = await run(few_failures)
    assert 5 <= delivered.retrying < 20
    assert statuses(connection) == {
        "RETRYING": delivered.retrying,
        "QUEUED": 100 - delivered.retrying,
    }
    assert len(brokers.queue.ready) == 100 - delivered.retrying


async def test_a_paused_worker_takes_nothing_and_goes_on_when_it_is_resumed(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    async with worker(worker_settings) as own, asyncio.timeout(60):
        own.gate.set_pause("by alice@example, until resumed")
        running = asyncio.create_task(own.run())
        queued(connection, brokers, 20)
        await until(lambda: own.is_connected)
        await asyncio.sleep(0.2)
        assert receiver.received == []
        own.gate.set_pause(None)
        await own.settled(20)
        assert own.delivered.sent == 20
        own.gate.set_pause("once more")
        queued(connection, brokers, 5)
        await asyncio.sleep(0.2)
        own.stop()
        await running
    assert statuses(connection)["SENT"] in range(20, 20 + worker_settings.worker_concurrency * 2)


async def silent(_request: Received) -> Answer:
    await asyncio.Event().wait()
    return Answer()


async def test_an_ambiguous_attempt_is_held_for_a_person_where_that_is_asked_for(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    [silenced, refused] = queued(connection, brokers, 2)
    holding = replace(worker_settings, ambiguous="hold", delivery_timeout=2, worker_concurrency=1)
    key = column(connection, "idempotency_key", silenced)

    async def answer(request: Received) -> Answer:
        return await silent(request) if request.key == key else DOWN

    receiver.answer = answer
    assert await run(holding) == Delivered(held=1, retrying=1)
    assert column(connection, "next_attempt_at", refused)
    assert column(connection, "next_attempt_at = 'infinity'", silenced)
    assert column(connection, "attempts -> 0 ->> 'outcome'", silenced) == "ambiguous"
    assert "held for a person" in column(connection, "error_message", silenced)
    # Neither dispatching nor recovering brings it back, and at the end of the day it is too late.
    brokers.queue.ready.append(silenced)
    assert await run(holding) == Delivered(skipped=1)
    async with connect_async(holding.database_url, holding) as own:
        broker = brokers.opened[-1]
        later = NOW.replace(hour=23)
        assert (await recover(own, broker, holding, later)).expired == 0
        late = NOW.replace(day=NOW.day + 1, hour=4)
        assert (await recover(own, broker, holding, late)).expired == 2
    assert "held for a person to decide; expired" in column(connection, "error_message", silenced)


@pytest.mark.parametrize(("ambiguous", "held"), [("hold", True), ("retry", False)])
async def test_what_a_dead_worker_had_in_hand_is_ambiguous_too(
    settings: Settings, connection: psycopg.Connection, brokers: Brokers, ambiguous: str, held: bool
) -> None:
    [reference] = queued(connection, brokers)
    connection.execute("UPDATE message_logs SET status = 'SENDING', lease_expires_at = now()")
    own_settings = replace(settings, ambiguous=ambiguous)
    async with (
        connect_async(settings.database_url, settings) as own,
        brokers.connect(settings, "") as broker,
    ):
        assert await recover(own, broker, own_settings, NOW) == Recovered(0, 0, 1, 0)
    assert column(connection, "next_attempt_at = 'infinity'", reference) is held
    assert column(connection, "retry_count", reference) == 1
    assert column(connection, "jsonb_array_length(attempts)", reference) == 1


def test_the_setting_is_one_of_two() -> None:
    with pytest.raises(UsageError, match="AMBIGUOUS='maybe' is not one of retry, hold"):
        ruling.of(Settings(ambiguous="maybe"))
