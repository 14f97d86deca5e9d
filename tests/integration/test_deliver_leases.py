"""What a worker may do with what it has claimed: while the lease lasts, and no longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from birthday_cli.brokers.memory import MemoryBroker
from birthday_cli.config import Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import AsyncConnection, connect_async
from birthday_cli.domain.message import Reference
from birthday_cli.domain.states import Status
from birthday_cli.pipeline.recover import recover
from birthday_cli.pipeline.worker import in_hand
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, RULES, add_message, column, statuses
from tests.servers.receiver import Answer, Received, Receiver
from tests.working import Brokers, queued, run, worker


async def recover_now(settings: Settings, brokers: Brokers) -> int:
    """Recover as `schedule` does; return how many were taken back."""
    async with connect_async(settings.database_url, settings) as connection:
        recovered = await recover(connection, MemoryBroker(brokers.queue), settings, NOW)
        return recovered.taken_back


async def test_a_lease_is_renewed_as_long_as_its_message_is_under_way(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    [reference] = queued(connection, brokers)
    lease = 1.0
    short = replace(worker_settings, worker_lease=lease)

    async def slow(_request: Received) -> Answer:
        first = column(connection, "lease_expires_at", reference)
        while column(connection, "lease_expires_at", reference) < first + timedelta(seconds=lease):
            assert await recover_now(short, brokers) == 0
            await asyncio.sleep(0.1)
        return Answer()

    receiver.answer = slow
    assert await run(short) == Delivered(sent=1)
    assert statuses(connection) == {"SENT": 1}
    assert column(connection, "attempts", reference) is None


async def test_what_was_claimed_and_not_sent_before_the_lease_ran_out_is_not_sent(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when the process was stopped between the claim and the request."""
    queued(connection, brokers, 2)
    alone = replace(worker_settings, worker_concurrency=1)
    real = in_hand.now

    async def while_stopped(_request: Received) -> Answer:
        monkeypatch.setattr(in_hand, "now", lambda: real() + 2 * alone.worker_lease)
        connection.execute("UPDATE message_logs SET lease_expires_at = now()")
        assert await recover_now(alone, brokers) == 2
        connection.execute("UPDATE message_logs SET next_attempt_at = 'infinity'")
        return Answer()

    receiver.answer = while_stopped
    assert await run(alone) == Delivered(taken_away=1, handed_back=1, skipped=1)
    assert len(receiver.received) == 1
    # Both are as recover left them: neither result nor hand-back of the old claim was written.
    assert statuses(connection) == {"RETRYING": 2}


async def test_a_claim_that_was_renewed_too_late_stays_lost(
    database: str, settings: Settings, connection: psycopg.Connection
) -> None:
    references = [add_message(connection, status="QUEUED") for _ in range(2)]
    lease = timedelta(minutes=5)
    async with connect_async(database, settings) as own:
        claims = await claim(own, references, in_hand.Lease(300))
        connection.execute(
            "UPDATE message_logs SET lease_expires_at = now() WHERE id = %s", (references[0].id,)
        )
        await messages.take_back_expired_leases(own, NOW, RULES.retry)
        assert await messages.renew_leases(own, claims, lease) == {references[1].id}
        assert column(connection, "status", references[0]) == "RETRYING"
        assert column(connection, "lease_expires_at", references[0]) is None


async def test_a_repeated_hand_back_takes_nothing_from_who_has_it_now(
    database: str, settings: Settings, connection: psycopg.Connection
) -> None:
    """The answer to the first was lost on the way, and the claim is somebody else's by now."""
    reference = add_message(connection, status="QUEUED")
    async with connect_async(database, settings) as own:
        ours = await claim(own, [reference], in_hand.Lease(300))
        await messages.hand_back(own, ours)
        assert column(connection, "status", reference) == "QUEUED"
        theirs = await claim(own, [reference], in_hand.Lease(300))
        assert len(theirs) == 1
        await messages.hand_back(own, ours)
        assert column(connection, "status", reference) == "SENDING"
        assert column(connection, "lease_token", reference) == theirs[0].token


async def test_a_claim_whose_answer_was_lost_is_found_again_by_its_token(
    database: str, settings: Settings, connection: psycopg.Connection
) -> None:
    reference = add_message(connection, status="QUEUED")
    lease = in_hand.Lease(300)
    async with connect_async(database, settings) as own:
        first = await claim(own, [reference], lease)
        assert await claim(own, [reference], lease) == first
        assert await claim(own, [reference], in_hand.Lease(300)) == []


async def test_a_result_whose_answer_was_lost_counts_as_recorded(
    database: str, settings: Settings, connection: psycopg.Connection
) -> None:
    reference = add_message(connection, status="QUEUED")
    async with connect_async(database, settings) as own:
        claims = await claim(own, [reference], in_hand.Lease(300))
        result = messages.Result(claims[0], Status.SENT, sent_at=NOW, code=200)
        assert await messages.record(own, [result]) == {reference.id}
        assert await messages.record(own, [result]) == {reference.id}
        other = messages.Result(claims[0]._replace(token=in_hand.Lease(1).token), result.status)
        assert await messages.record(own, [other]) == set()


async def test_at_the_end_of_the_drain_what_is_under_way_is_given_up_as_ambiguous(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 40)

    async def never(_request: Received) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    receiver.answer = never
    hurried = replace(worker_settings, worker_drain_timeout=0.2)
    async with worker(hurried) as own, asyncio.timeout(60):
        running = asyncio.create_task(own.run())
        await receiver.wait_for(hurried.worker_concurrency)
        own.stop()
        delivered = await running
    assert delivered.retrying == hurried.worker_concurrency
    assert statuses(connection) == {"RETRYING": 8, "QUEUED": 32}
    # The others wait for the next worker, in the broker too, and nothing of them was counted.
    assert len(brokers.queue.ready) == 32
    [[tried, trace]] = connection.execute(
        "SELECT count(*), min(attempts -> 0 ->> 'error') FROM message_logs WHERE retry_count = 1"
    ).fetchall()
    assert (tried, trace) == (8, "the worker stopped before there was an answer")


async def claim(
    own: AsyncConnection, references: list[Reference], lease: in_hand.Lease
) -> list[messages.Claim]:
    found = await messages.claim(own, references, NOW, [], lease.token, timedelta(minutes=5))
    return [messages.Claim(message, lease.token) for message in found]
