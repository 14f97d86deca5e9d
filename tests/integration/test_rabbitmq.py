"""What is RabbitMQ's own: the topology, confirms and dead letters."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from birthday_cli.brokers.base import Broker, connect
from birthday_cli.brokers.rabbitmq_dead import REASON_HEADER
from birthday_cli.brokers.wire import decode, encode
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BdayschedError
from tests.references import HANG, MOMENT, drain, references
from tests.servers.rabbitmq import RabbitNode


@pytest.fixture
def channel(rabbitmq: RabbitNode) -> Iterator[BlockingChannel]:
    """Return a channel of another program."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    yield connection.channel()
    connection.close()


async def wait_for_dead(broker: Broker, dead: int) -> None:
    """Return when that many are put aside: the broker takes a moment."""
    async with asyncio.timeout(HANG):
        while (await broker.depth()).dead != dead:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# ---- topology


async def test_the_queue_is_what_the_design_asks_for(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    async with connect(broker_settings, ""):
        pass
    listed = rabbitmq.control("--formatter=json", "list_queues", "name", "durable", "arguments")
    queues = {each["name"]: each for each in json.loads(listed)}
    found = queues[broker_settings.broker_queue]
    assert found["durable"] is True
    dead = f"{broker_settings.broker_queue}.dead"
    assert _arguments(found) == {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": dead,
        "x-dead-letter-routing-key": dead,
        "x-dead-letter-strategy": "at-least-once",
    }
    assert queues[dead]["durable"] is True
    assert _arguments(queues[dead]) == {"x-queue-type": "quorum", "x-delivery-limit": 2**31 - 1}


def _arguments(listed: dict[str, Any]) -> dict[str, Any]:
    found = listed["arguments"]
    return found if isinstance(found, dict) else {name: value for name, _, value in found}


async def test_a_queue_with_other_arguments_is_explained(broker_settings: Settings) -> None:
    async with connect(broker_settings, ""):
        pass
    with pytest.raises(BdayschedError) as caught:
        async with connect(replace(broker_settings, broker_delivery_limit=3), ""):
            pass
    assert type(caught.value) is BdayschedError
    message = str(caught.value)
    assert broker_settings.broker_queue in message
    assert "x-delivery-limit" in message
    assert "BROKER_DELIVERY_LIMIT" in message
    assert "\n" not in message


async def test_a_message_can_be_read_by_any_program(
    broker_settings: Settings, channel: BlockingChannel
) -> None:
    reference = Reference(uuid.uuid4(), datetime(2026, 3, 1, 9, 0, tzinfo=UTC))
    async with connect(broker_settings, "") as broker:
        await broker.publish([reference])
    _, properties, body = channel.basic_get(broker_settings.broker_queue, auto_ack=True)
    assert body is not None
    assert json.loads(body) == {
        "id": str(reference.id),
        "scheduled_send_time": "2026-03-01T09:00:00+00:00",
    }
    assert properties is not None
    assert properties.message_id == str(reference.id)
    assert properties.content_type == "application/json"
    assert properties.app_id == "bdaysched"
    assert properties.delivery_mode == 2


# ---- confirms


async def test_unroutable_is_not_confirmed(
    broker_settings: Settings, channel: BlockingChannel
) -> None:
    name = broker_settings.broker_queue
    async with connect(broker_settings, "") as broker:
        channel.queue_unbind(name, name, name)
        assert await broker.publish(references(3)) == []
        channel.queue_bind(name, name, name)
        good = references(3)
        assert await broker.publish(good) == good
        assert await broker.depth() == (3, 0)


async def test_what_a_full_queue_refuses_is_not_confirmed(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    name = broker_settings.broker_queue
    async with connect(broker_settings, "") as broker:
        rabbitmq.control("set_policy", name, f"^{name}$", '{"max-length": 10}', "--apply-to=queues")
        confirmed: list[Reference] = []
        async with asyncio.timeout(HANG):
            while True:
                batch = references(500)
                taken = await broker.publish(batch)
                confirmed += taken
                if len(taken) < len(batch):
                    break
        assert (await broker.depth()).ready == len(confirmed)
        await broker.consume(100)
        assert await drain(broker, len(confirmed)) == set(confirmed)
    rabbitmq.control("clear_policy", name)


# ---- dead letters

MALFORMED = {
    "empty": b"",
    "not JSON": b"hello",
    "not UTF-8": b'{"id": "\xff"}',
    "a list": b"[1, 2]",
    "a number": b"7",
    "no send time": b'{"id": "6b1ea5a8-54a7-4c4e-9b1c-1d2f3a4b5c6d"}',
    "no id": b'{"scheduled_send_time": "2026-03-01T09:00:00+00:00"}',
    "id of another kind": b'{"id": 7, "scheduled_send_time": "2026-03-01T09:00:00+00:00"}',
    "not an id": b'{"id": "7", "scheduled_send_time": "2026-03-01T09:00:00+00:00"}',
    "not an instant": b'{"id": "6b1ea5a8-54a7-4c4e-9b1c-1d2f3a4b5c6d", "scheduled_send_time": 7}',
    "no offset": b'{"id": "6b1ea5a8-54a7-4c4e-9b1c-1d2f3a4b5c6d",'
    b' "scheduled_send_time": "2026-03-01T09:00:00"}',
    "out of range in UTC": b'{"id": "6b1ea5a8-54a7-4c4e-9b1c-1d2f3a4b5c6d",'
    b' "scheduled_send_time": "9999-12-31T23:59:59-12:00"}',
    "too deep": b"[" * 4_096,
    "too large": encode(references(1)[0]) + b" " * 4_096,
    "far too large": b" " * 2**20,
}


async def test_what_is_not_a_reference_is_dead_lettered_with_the_reason(
    broker_settings: Settings, channel: BlockingChannel
) -> None:
    async with connect(broker_settings, "") as broker:
        for body in MALFORMED.values():
            channel.basic_publish("", broker_settings.broker_queue, body)
        good = references(2)
        await broker.publish(good)
        await broker.consume(len(MALFORMED))
        assert await drain(broker, 2) == set(good)
        assert await broker.receive(1, MOMENT) == []
        assert await broker.depth() == (0, len(MALFORMED))
    for body in MALFORMED.values():
        _, properties, found = channel.basic_get(
            f"{broker_settings.broker_queue}.dead", auto_ack=True
        )
        assert found == body
        assert properties is not None
        headers: Any = properties.headers
        assert headers[REASON_HEADER].startswith("not a reference: ")


async def test_what_is_not_a_reference_is_seen_with_its_size_and_no_reference(
    broker_settings: Settings, channel: BlockingChannel
) -> None:
    name = broker_settings.broker_queue
    async with connect(broker_settings, "") as broker:
        channel.basic_publish("", name, b"hello", pika.BasicProperties(message_id="theirs"))
        channel.basic_publish("", name, b" " * 2**20)
        channel.basic_publish("", f"{name}.dead", b"put here by another program")
        await broker.consume(2)
        assert await broker.receive(1, MOMENT) == []
        await wait_for_dead(broker, 3)
        letters = await broker.dead_letters(10)
    other, hello, large = sorted(letters, key=lambda letter: letter.reason, reverse=True)
    assert {letter.reference for letter in letters} == {None}
    assert (hello.message_id, hello.body_bytes) == ("theirs", 5)
    assert hello.reason == "not a reference: Expecting value: line 1 column 1 (char 0)"
    assert (large.message_id, large.body_bytes) == ("", 2**20)
    assert large.reason == "not a reference: 1048576 bytes are more than 4096"
    assert other.reason == "not told"


async def test_a_reference_that_comes_in_several_frames_is_one(
    rabbitmq: RabbitNode, broker_settings: Settings, channel: BlockingChannel
) -> None:
    # RabbitMQ cuts a body to the frames that the consumer can take; 4,096 bytes are the least.
    small = replace(broker_settings, broker_url=f"{rabbitmq.url}?frame_max=4096")
    body = encode(references(1)[0])
    async with connect(small, "") as broker:
        channel.basic_publish("", small.broker_queue, body + b" " * (4_095 - len(body)))
        plain = references(2)
        await broker.publish(plain)
        await broker.consume(10)
        found = await drain(broker, 3)
    assert found == {decode(body), *plain}


async def test_malformed_that_was_not_put_aside_goes_back_on_stopping(
    broker_settings: Settings, channel: BlockingChannel
) -> None:
    async with connect(broker_settings, "") as broker:
        await broker.consume(10)
        channel.basic_publish("", broker_settings.broker_queue, b"hello")
        async with asyncio.timeout(HANG):
            while (await broker.depth()).ready:
                pass
        await broker.stop_consuming()
        async with asyncio.timeout(HANG):
            while not (await broker.depth()).ready:
                pass


async def test_more_deliveries_than_the_limit_are_dead_lettered(broker_settings: Settings) -> None:
    limited = replace(broker_settings, broker_delivery_limit=2)
    lethal = references(1)
    async with connect(limited, "") as broker:
        await broker.publish(lethal)
        for _ in range(3):
            async with connect(limited, "") as worker:
                await worker.consume(1)
                assert [each.reference for each in await worker.receive(1, HANG)] == lethal
        await wait_for_dead(broker, 1)
        assert (await broker.depth()).ready == 0
        [letter] = await broker.dead_letters(10)
        assert [letter.reference] == lethal
        assert letter.reason == f"delivery_limit (queue {limited.broker_queue})"


async def test_what_cannot_be_put_aside_now_the_broker_puts_aside_later(
    rabbitmq: RabbitNode, broker_settings: Settings, channel: BlockingChannel
) -> None:
    # How soon the broker tries again. 4.0 cannot do without a value.
    variable = "rabbit, dead_letter_worker_publisher_confirm_timeout"
    usual = rabbitmq.control("eval", f"{{ok, T}} = application:get_env({variable}), T.").strip()
    rabbitmq.control("eval", f"application:set_env({variable}, 500).")
    dead = f"{broker_settings.broker_queue}.dead"
    async with connect(broker_settings, "") as broker:
        channel.queue_unbind(dead, dead, dead)
        await broker.publish(references(1))
        await broker.consume(1)
        await broker.reject(await broker.receive(1, HANG), "nowhere to go")
        assert await broker.depth() == (0, 0)
        channel.queue_bind(dead, dead, dead)
        await wait_for_dead(broker, 1)
    rabbitmq.control("eval", f"application:set_env({variable}, {usual}).")
