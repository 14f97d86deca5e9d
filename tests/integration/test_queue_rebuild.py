"""The queue is built anew from the database, on both brokers, whatever the broker still has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from birthday_cli.brokers.base import Broker, Depth, connect
from birthday_cli.config import Settings
from birthday_cli.db.locks import Lock
from birthday_cli.db.queries import query
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BrokerUnreachable, Locked
from birthday_cli.pipeline import queue
from birthday_cli.pipeline.dispatch import Dispatched
from birthday_cli.pipeline.queue import Rebuilt
from tests.facts import NOW, add_message, column, statuses
from tests.references import HANG, drain, references

HOUR = timedelta(hours=1)


@pytest.fixture(params=["rabbitmq", "postgres"])
def on_broker(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of a database and a broker with a queue of the test's own."""
    if request.param == "postgres":
        return settings
    broker: Settings = request.getfixturevalue("broker_settings")
    return replace(settings, broker_url=broker.broker_url, broker_queue=broker.broker_queue)


@pytest.fixture
def on_rabbitmq(settings: Settings, broker_settings: Settings) -> Settings:
    url, name = broker_settings.broker_url, broker_settings.broker_queue
    return replace(settings, broker_url=url, broker_queue=name)


def with_broker(settings: Settings, work: Callable[[Broker], Any]) -> Any:
    async def connected() -> Any:
        async with connect(settings, settings.database_url) as broker:
            return await work(broker)

    return asyncio.run(connected())


def depth(settings: Settings) -> Depth:
    found: Depth = with_broker(settings, lambda broker: broker.depth())
    return found


def received(settings: Settings, count: int) -> set[Reference]:
    async def take(broker: Broker) -> set[Reference]:
        await broker.consume(10)
        return await drain(broker, count)

    found: set[Reference] = with_broker(settings, take)
    return found


def add_day(connection: psycopg.Connection) -> tuple[list[Reference], list[Reference]]:
    """Add messages of all sorts; return those that are to be in the queue, and the others."""
    wanted = [
        add_message(connection, NOW - 2 * HOUR, "QUEUED"),
        add_message(connection, NOW - HOUR, "QUEUED", retry_count=2),
        add_message(connection, NOW - HOUR),
    ]
    others = [
        add_message(connection, status="SENDING"),
        add_message(connection, NOW + HOUR),
        add_message(connection, status="RETRYING", next_attempt_at="infinity"),
        add_message(connection, status="SENT"),
        add_message(connection, NOW - 3 * HOUR, "QUEUED", expires_in=HOUR),  # too late
    ]
    return wanted, others


def test_a_broker_that_lost_everything_is_filled_from_the_database(
    on_broker: Settings, connection: psycopg.Connection
) -> None:
    wanted, others = add_day(connection)
    assert queue.would_rebuild(on_broker) == Rebuilt(0, 3)
    assert queue.rebuild(on_broker, NOW) == Rebuilt(0, 3, Dispatched(3, 0))
    assert depth(on_broker) == Depth(3, 0)
    assert {column(connection, "status", reference) for reference in wanted} == {"QUEUED"}
    assert [column(connection, "status", reference) for reference in others] == [
        *("SENDING", "SCHEDULED", "RETRYING", "SENT", "SCHEDULED")
    ]
    assert received(on_broker, 3) == set(wanted)


def test_what_the_broker_still_has_is_purged(
    on_rabbitmq: Settings, connection: psycopg.Connection
) -> None:
    wanted, _ = add_day(connection)
    stale = [*references(5), wanted[0], wanted[0]]
    with_broker(on_rabbitmq, lambda broker: broker.publish(stale))
    assert queue.would_rebuild(on_rabbitmq) == Rebuilt(7, 3)
    assert queue.rebuild(on_rabbitmq, NOW) == Rebuilt(7, 3, Dispatched(3, 0))
    assert depth(on_rabbitmq) == Depth(3, 0)
    assert received(on_rabbitmq, 3) == set(wanted)


def test_looking_changes_nothing(on_broker: Settings, connection: psycopg.Connection) -> None:
    add_day(connection)
    before = statuses(connection), depth(on_broker)
    queue.would_rebuild(on_broker)
    assert (statuses(connection), depth(on_broker)) == before


def test_rebuilding_twice_ends_like_rebuilding_once(
    on_broker: Settings, connection: psycopg.Connection
) -> None:
    add_day(connection)
    queue.rebuild(on_broker, NOW)
    once = statuses(connection), depth(on_broker)
    assert queue.rebuild(on_broker, NOW).dispatched == Dispatched(3, 0)
    assert (statuses(connection), depth(on_broker)) == once


STEPS = {
    "connecting": ["pipeline.queue.connect_broker"],
    "making due again": ["pipeline.queue.rows.take_out_waiting"],
    "purging": ["brokers.rabbitmq.RabbitBroker.purge", "brokers.postgres.PostgresBroker.purge"],
    "dispatching": ["pipeline.queue.dispatch"],
}


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_ends_before_any_step_is_finished_by_the_next(
    on_broker: Settings,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    wanted, _ = add_day(connection)

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as killing:
        for name in STEPS[step]:
            killing.setattr(f"birthday_cli.{name}", kill)
        with pytest.raises(Killed):
            queue.rebuild(on_broker, NOW)
    assert (queue.rebuild(on_broker, NOW).dispatched, depth(on_broker).ready) == (
        Dispatched(3, 0),
        3,
    )
    assert received(on_broker, 3) == set(wanted)


def test_a_broker_that_is_away_leaves_everything_as_it_is(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_day(connection)
    before = statuses(connection)
    with pytest.raises(BrokerUnreachable):
        queue.rebuild(replace(settings, broker_url="amqp://127.0.0.1:1/"), NOW)
    assert statuses(connection) == before


def test_beside_a_run_of_schedule_nothing_is_rebuilt(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_day(connection)
    before = statuses(connection)
    connection.execute(query("locks/try_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
    with pytest.raises(Locked):
        queue.rebuild(settings, NOW)
    assert statuses(connection) == before
    connection.execute(query("locks/release_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
    assert queue.rebuild(settings, NOW, wait=HANG).requeued == 3
