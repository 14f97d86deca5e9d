"""Dead letters go back into the queue when a row waits for them, and are never lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pika
import psycopg
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from birthday_cli.brokers.base import Depth, connect
from birthday_cli.brokers.rabbitmq import RabbitBroker
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.domain.states import FINAL, Status
from birthday_cli.errors import BrokerUnreachable
from birthday_cli.pipeline import replay
from birthday_cli.pipeline.replay import Replayed
from tests.facts import NOW, add_message, column, statuses
from tests.references import HANG, references, take


@pytest.fixture
def on_rabbitmq(settings: Settings, broker_settings: Settings) -> Settings:
    url, name = broker_settings.broker_url, broker_settings.broker_queue
    return replace(settings, broker_url=url, broker_queue=name)


@pytest.fixture
def channel(on_rabbitmq: Settings) -> Iterator[BlockingChannel]:
    """Return a channel of another program, with the queues declared."""
    depth(on_rabbitmq)
    with closing(pika.BlockingConnection(pika.URLParameters(on_rabbitmq.broker_url))) as link:
        yield link.channel()


def depth(settings: Settings) -> Depth:
    async def ask() -> Depth:
        async with connect(settings, "") as broker:
            return await broker.depth()

    return asyncio.run(ask())


def put_aside(settings: Settings, wanted: Sequence[Reference], reason: str = "poison") -> None:
    """Let a worker reject references."""

    async def reject() -> None:
        async with connect(settings, "") as broker:
            await broker.publish(wanted)
            await broker.consume(len(wanted))
            await broker.reject(await take(broker, len(wanted)), reason)
            async with asyncio.timeout(HANG):
                while (await broker.depth()).ready:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    before = depth(settings).dead
    asyncio.run(reject())
    wait_for_dead(settings, before + len(wanted))


def wait_for_dead(settings: Settings, dead: int) -> None:
    """Return when that many are put aside, and in nobody's hands: the broker takes a moment."""

    async def wait() -> None:
        async with connect(settings, "") as broker, asyncio.timeout(HANG):
            while (await broker.depth()).dead != dead:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    asyncio.run(wait())


def in_queue(channel: BlockingChannel, settings: Settings) -> list[str]:
    """Take everything out of the queue; return the ids."""
    found: list[str] = []
    while True:
        _, properties, _ = channel.basic_get(settings.broker_queue, auto_ack=True)
        if properties is None:
            return found
        found.append(str(properties.message_id))


def test_dead_letters_are_shown_with_their_reason_and_the_state_of_their_rows(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    known = [add_message(connection, status=status) for status in ("QUEUED", "SENT")]
    unknown = references(1)
    put_aside(on_rabbitmq, [*known, *unknown])
    channel.basic_publish(
        f"{on_rabbitmq.broker_queue}.dead", f"{on_rabbitmq.broker_queue}.dead", b"hello"
    )
    wait_for_dead(on_rabbitmq, 4)
    found, problem = replay.waiting(on_rabbitmq, limit=10)
    assert (problem, found.dead_in_all) == (None, 4)
    assert found.dead
    shown = {letter.id: letter for letter in found.dead}
    states = {str(known[0].id): "QUEUED", str(known[1].id): "SENT", str(unknown[0].id): "no row"}
    assert {each: letter.state for each, letter in shown.items()} == {**states, "": "no row"}
    first = shown[str(known[0].id)]
    assert (first.scheduled_send_time, first.reason) == (NOW, "poison")
    assert first.body_bytes > 60
    assert (shown[""].scheduled_send_time, shown[""].body_bytes) == (None, 5)


def test_looking_takes_nothing_away_and_shows_as_many_as_asked_for(
    on_rabbitmq: Settings,
) -> None:
    put_aside(on_rabbitmq, references(5))
    for _ in range(2):
        found, _ = replay.waiting(on_rabbitmq, limit=2)
        assert found.dead
        assert (len(found.dead), found.dead_in_all) == (2, 5)
        wait_for_dead(on_rabbitmq, 5)


@pytest.mark.parametrize("status", Status)
def test_a_letter_goes_back_if_its_row_is_not_final(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel, status: Status
) -> None:
    reference = add_message(connection, status=status)
    put_aside(on_rabbitmq, [reference])
    is_final = status in FINAL
    done = replay.replay(on_rabbitmq)
    assert (done.queued, done.kept) == ((0, {status: 1}) if is_final else (1, {}))
    assert in_queue(channel, on_rabbitmq) == ([] if is_final else [str(reference.id)])
    wait_for_dead(on_rabbitmq, 1 if is_final else 0)
    assert column(connection, "status", reference) == status


def add_letters(settings: Settings, connection: psycopg.Connection) -> list[Reference]:
    """Put aside five letters; return the two references that rows wait for, one of them twice."""
    waited_for = [add_message(connection, status="QUEUED") for _ in range(2)]
    sent = add_message(connection, status="SENT")
    put_aside(settings, [*waited_for, waited_for[0], sent, *references(1)])
    return waited_for


LEFT = {"SENT": 1, "no row": 1}


def test_the_other_letters_stay(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    waited_for = add_letters(on_rabbitmq, connection)
    done = replay.replay(on_rabbitmq)
    assert replace(done, sample=[]) == Replayed(3, 0, LEFT, {}, [])
    wait_for_dead(on_rabbitmq, 2)
    # What was put aside twice is needed once.
    assert sorted(in_queue(channel, on_rabbitmq)) == sorted(str(each.id) for each in waited_for)
    again = replay.replay(on_rabbitmq)
    assert replace(again, sample=[]) == Replayed(0, 0, LEFT, {}, [])


def test_or_are_discarded(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    add_letters(on_rabbitmq, connection)
    done = replay.replay(on_rabbitmq, discard=True)
    assert replace(done, sample=[]) == Replayed(3, 0, {}, LEFT, [])
    wait_for_dead(on_rabbitmq, 0)
    assert len(in_queue(channel, on_rabbitmq)) == 2
    assert statuses(connection) == {"QUEUED": 2, "SENT": 1}


@pytest.mark.parametrize("discard", [False, True])
def test_a_dry_run_counts_the_same_and_changes_nothing(
    on_rabbitmq: Settings, connection: psycopg.Connection, discard: bool
) -> None:
    add_letters(on_rabbitmq, connection)
    planned = replay.replay(on_rabbitmq, discard, dry_run=True)
    assert len(planned.sample) == 5
    wait_for_dead(on_rabbitmq, 5)
    assert depth(on_rabbitmq).ready == 0
    done = replay.replay(on_rabbitmq, discard)
    assert replace(done, sample=[]) == replace(planned, sample=[])


def test_a_letter_whose_reference_is_not_confirmed_stays(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    add_letters(on_rabbitmq, connection)
    name = on_rabbitmq.broker_queue

    class Unrouted(RabbitBroker):
        async def publish(self, wanted: Sequence[Reference]) -> list[Reference]:
            channel.queue_unbind(name, name, name)
            confirmed = await super().publish(wanted)
            channel.queue_bind(name, name, name)
            return confirmed

    with pytest.MonkeyPatch.context() as unrouted:
        unrouted.setattr("birthday_cli.brokers.rabbitmq.RabbitBroker", Unrouted)
        done = replay.replay(on_rabbitmq)
    assert (done.queued, done.unconfirmed) == (0, 3)
    wait_for_dead(on_rabbitmq, 5)
    assert replay.replay(on_rabbitmq).queued == 3


def test_killed_after_publishing_a_run_leaves_both_and_the_next_one_ends_it(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    waited_for = add_letters(on_rabbitmq, connection)

    async def lose(*_: Any) -> None:
        raise BrokerUnreachable("gone")

    with pytest.MonkeyPatch.context() as losing:
        losing.setattr(RabbitBroker, "discard", lose)
        with pytest.raises(BrokerUnreachable):
            replay.replay(on_rabbitmq)
    wait_for_dead(on_rabbitmq, 5)
    assert replay.replay(on_rabbitmq).queued == 3
    wait_for_dead(on_rabbitmq, 2)
    # A worker finds the second copy done.
    assert set(in_queue(channel, on_rabbitmq)) == {str(each.id) for each in waited_for}


def test_two_runs_at_once_queue_each_letter_once(
    on_rabbitmq: Settings, connection: psycopg.Connection, channel: BlockingChannel
) -> None:
    wanted = [add_message(connection, status="QUEUED") for _ in range(30)]
    put_aside(on_rabbitmq, wanted)

    async def both() -> list[Replayed]:
        return await asyncio.gather(
            *(asyncio.to_thread(replay.replay, on_rabbitmq) for _ in range(2))
        )

    assert sum(done.queued for done in asyncio.run(both())) == 30
    wait_for_dead(on_rabbitmq, 0)
    assert sorted(in_queue(channel, on_rabbitmq)) == sorted(str(each.id) for each in wanted)


@pytest.mark.usefixtures("database")
def test_where_rows_are_the_queue_there_are_no_dead_letters(settings: Settings) -> None:
    assert replay.replay(settings, discard=True) == Replayed(0, 0, {}, {}, [])
    found, problem = replay.waiting(settings, limit=1)
    assert (found.dead, found.dead_in_all, problem) == ([], 0, None)
