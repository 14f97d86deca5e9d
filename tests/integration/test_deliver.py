"""The worker: against a real database and a real receiver; a broker that misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from birthday_cli.brokers.base import Delivery
from birthday_cli.brokers.memory import MemoryBroker
from birthday_cli.channels.webhook import Webhook
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BrokerUnreachable
from birthday_cli.pipeline import deliver
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, add_message, column, statuses
from tests.servers.receiver import Answer, Received, Receiver
from tests.working import Brokers, queued, run, worker


async def test_what_is_queued_is_sent_once_and_recorded(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    references = queued(connection, brokers, 50)
    receiver.answer = Answer(201, b'{"id": 7}')
    assert await run(worker_settings) == Delivered(sent=50)
    assert statuses(connection) == {"SENT": 50}
    assert len(receiver.keys) == len(receiver.received) == 50
    one = references[0]
    assert column(connection, "api_response_code", one) == 201
    assert column(connection, "api_response_body", one) == '{"id": 7}'
    assert column(connection, "idempotency_key", one) in receiver.keys
    assert timedelta() <= column(connection, "actual_send_time", one) - NOW < timedelta(minutes=1)
    assert column(connection, "lease_expires_at", one) is None
    assert not brokers.queue.ready
    assert not brokers.opened[-1]._held


@pytest.mark.parametrize(
    ("status", "expected", "counted"),
    [
        (503, "RETRYING", Delivered(retrying=1)),
        (429, "RETRYING", Delivered(retrying=1)),
        (400, "FAILED", Delivered(failed=1)),
    ],
)
async def test_what_is_refused_is_retried_later_or_failed(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
    status: int,
    expected: str,
    counted: Delivered,
) -> None:
    [reference] = queued(connection, brokers)
    receiver.answer = Answer(status, b"no", {"Retry-After": "3600"})
    assert await run(worker_settings) == counted
    assert column(connection, "status", reference) == expected
    assert column(connection, "api_response_code", reference) == status
    assert column(connection, "error_message", reference)
    assert column(connection, "actual_send_time", reference) is None
    retrying = expected == "RETRYING"
    assert column(connection, "retry_count", reference) == int(retrying)
    if retrying:
        pause = column(connection, "next_attempt_at - updated_at", reference)
        assert timedelta(hours=1) == pause


async def test_attempts_end(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    last = worker_settings.worker_max_attempts - 1
    reference = add_message(connection, status="QUEUED", retry_count=last)
    brokers.queue.ready.append(reference)
    receiver.answer = Answer(503)
    assert await run(worker_settings) == Delivered(failed=1)
    assert column(connection, "status", reference) == "FAILED"


async def test_repeated_references_are_sent_once(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    references = queued(connection, brokers, 30)
    brokers.queue.ready.extend(references[::-1] * 2)
    delivered = await run(worker_settings)
    assert (delivered.sent, delivered.skipped) == (30, 60)
    assert set(receiver.keys.values()) == {1}


async def test_several_workers_at_once_send_each_message_once(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    references = queued(connection, brokers, 60)
    brokers.queue.ready.extend(references * 2)
    results = await asyncio.gather(*(run(worker_settings) for _ in range(3)))
    assert sum(result.sent for result in results) == 60
    assert set(receiver.keys.values()) == {1}


async def test_a_reference_to_no_row_is_put_aside_with_the_reason(
    worker_settings: Settings, brokers: Brokers, connection: psycopg.Connection
) -> None:
    [real] = queued(connection, brokers)
    stranger = Reference(uuid4(), real.scheduled_send_time)
    brokers.queue.ready.append(stranger)
    assert await run(worker_settings) == Delivered(sent=1, unknown=1)
    assert brokers.queue.dead == [(stranger, "there is no message with this id and send time")]


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "SENT"},
        {"status": "FAILED"},
        {"status": "SENDING"},
        {"status": "RETRYING", "next_attempt_at": "infinity"},
        {"status": "QUEUED", "expires_at": NOW - timedelta(hours=1)},
    ],
    ids=lambda columns: "-".join(map(str, columns.values())),
)
async def test_what_is_not_ours_to_send_is_not_sent(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
    columns: dict[str, object],
) -> None:
    brokers.queue.ready.append(add_message(connection, **columns))  # type: ignore[arg-type]
    assert await run(worker_settings) == Delivered(skipped=1)
    assert receiver.received == []
    assert statuses(connection) == {columns["status"]: 1}


async def test_nothing_is_sent_to_a_user_who_was_deleted_meanwhile(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers)
    connection.execute("UPDATE users SET deleted_at = now()")
    assert await run(worker_settings) == Delivered(skipped=1)
    assert receiver.received == []


async def test_a_reference_that_is_faster_than_its_queued_mark_is_sent(
    worker_settings: Settings, brokers: Brokers, connection: psycopg.Connection
) -> None:
    brokers.queue.ready.append(add_message(connection, status="SCHEDULED"))
    assert await run(worker_settings) == Delivered(sent=1)


async def test_a_message_that_was_taken_away_meanwhile_is_not_overwritten(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    [reference] = queued(connection, brokers)

    async def while_sending(_request: Received) -> Answer:
        # What recover and another worker do when a lease has run out.
        connection.execute(
            "UPDATE message_logs SET lease_token = gen_random_uuid(), error_message = 'theirs'"
        )
        return Answer(400)

    receiver.answer = while_sending
    assert await run(worker_settings) == Delivered(taken_away=1)
    assert column(connection, "status", reference) == "SENDING"
    assert column(connection, "error_message", reference) == "theirs"


async def test_nothing_is_acknowledged_before_it_is_recorded(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    references = queued(connection, brokers, 20)
    seen: list[str] = []
    acknowledge = MemoryBroker.acknowledge

    async def watched(self: MemoryBroker, deliveries: Sequence[Delivery]) -> None:
        seen.extend(column(connection, "status", each.reference) for each in deliveries)
        await acknowledge(self, deliveries)

    monkeypatch.setattr(MemoryBroker, "acknowledge", watched)
    await run(worker_settings)
    assert seen == ["SENT"] * len(references)


async def test_a_lost_broker_is_connected_to_again_and_nothing_is_sent_twice(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliver, "_FIRST_PAUSE", 0.01)
    queued(connection, brokers, 40)

    async def lose_it(_request: Received) -> Answer:
        brokers.refuse = 2
        brokers.opened[-1].lose_connection()
        return Answer()

    receiver.answers.append(lose_it)
    delivered = await run(worker_settings)
    assert delivered.sent == 40
    assert len(brokers.opened) == 2
    assert set(receiver.keys.values()) == {1}
    assert statuses(connection) == {"SENT": 40}


async def test_a_broker_that_never_answered_is_an_error(
    worker_settings: Settings, brokers: Brokers
) -> None:
    brokers.refuse = 1
    with pytest.raises(BrokerUnreachable):
        await run(worker_settings)


async def test_stop_finishes_what_is_in_hand_and_leaves_the_rest(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 200)
    released = asyncio.Event()

    async def hold(_request: Received) -> Answer:
        await released.wait()
        return Answer()

    receiver.answer = hold
    async with worker(worker_settings) as own:
        running = asyncio.create_task(own.run())
        await receiver.wait_for(worker_settings.worker_concurrency)
        own.stop()
        released.set()
        delivered = await asyncio.wait_for(running, 60)
    assert 0 < delivered.sent < 200
    assert statuses(connection) == {"SENT": delivered.sent, "QUEUED": 200 - delivered.sent}
    assert len(brokers.queue.ready) == 200 - delivered.sent


async def test_a_database_connection_that_is_cut_is_replaced(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    receiver: Receiver,
) -> None:
    queued(connection, brokers, 40)

    async def cut_it(_request: Received) -> Answer:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'bdaysched' AND datname = current_database()"
        )
        return Answer()

    receiver.answers.extend([cut_it, Answer(), Answer(), cut_it])
    assert (await run(worker_settings)).sent == 40
    assert set(receiver.keys.values()) == {1}
    assert statuses(connection) == {"SENT": 40}


async def test_a_sender_that_breaks_ends_the_worker_instead_of_slowing_it_down(
    worker_settings: Settings,
    brokers: Brokers,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    queued(connection, brokers)
    monkeypatch.setattr(Webhook, "send", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        await run(worker_settings)
