"""RabbitMQ is short of memory: it blocks who publishes, and nobody else may suffer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pika
import pytest

from birthday_cli.brokers.base import Broker, connect
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference
from birthday_cli.errors import BrokerUnreachable
from tests.references import HANG, drain, references, take
from tests.servers.rabbitmq import RabbitNode


@asynccontextmanager
async def alarm(rabbitmq: RabbitNode) -> AsyncIterator[None]:
    """Make the node believe that its memory is full."""
    watermark = "set_vm_memory_high_watermark"
    await asyncio.to_thread(rabbitmq.control, watermark, "0.000001")
    try:
        yield
    finally:
        await asyncio.to_thread(rabbitmq.control, watermark, "absolute", "1GB")


def publish(rabbitmq: RabbitNode, queue: str, *bodies: bytes) -> None:
    """Publish as another program would."""
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body)


async def wait_for_dead(broker: Broker, dead: int) -> None:
    async with asyncio.timeout(HANG):
        while (await broker.depth()).dead < dead:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_consumer_goes_on_while_publishers_are_blocked_past_a_poison_message(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    before, after = references(50), references(50)
    async with connect(broker_settings, "") as broker, asyncio.timeout(HANG):
        await broker.publish(before)
        publish(rabbitmq, broker_settings.broker_queue, b"hello", b" " * 2**20)
        await broker.publish(after)
    async with connect(broker_settings, "") as worker, asyncio.timeout(HANG):
        async with alarm(rabbitmq):
            await worker.consume(20)
            assert await drain(worker, 99) < {*before, *after}
            # The acknowledgements have arrived, and a reference to no row is put aside as well.
            [last] = await take(worker, 1)
            await worker.reject([last], "no such row")
            assert (await worker.depth()).ready == 0
        await wait_for_dead(worker, 3)
        # The broker moved them. What we had published may have come through as well, afterwards.
        letters = await worker.dead_letters(10)
    moved = [letter for letter in letters if letter.reason.startswith("rejected (queue ")]
    assert {each.reference for each in moved} == {None, last.reference}
    assert sorted(each.body_bytes for each in moved)[::2] == [5, 2**20]


async def test_what_was_put_aside_under_an_alarm_that_ends_has_its_reason_again(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    async with connect(broker_settings, "") as worker, asyncio.timeout(HANG):
        async with alarm(rabbitmq):
            pass
        await worker.publish(references(1))
        await worker.consume(1)
        await worker.reject(await take(worker, 1), "no such row")
        [letter] = await worker.dead_letters(3)
    assert letter.reason == "no such row"


async def test_publishing_gives_up_within_its_patience_and_works_again_afterwards(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    impatient = replace(broker_settings, broker_connect_timeout=3.0)
    async with connect(broker_settings, ""):
        pass
    async with asyncio.timeout(HANG):
        async with alarm(rabbitmq):
            with pytest.raises(BrokerUnreachable, match=r"blocked all publishers \(low on memory"):
                async with connect(impatient, "") as broker:
                    await _publish_for_ever(broker)
        async with connect(broker_settings, "") as broker:
            again: list[Reference] = references(10)
            assert await broker.publish(again) == again


async def _publish_for_ever(broker: Broker) -> None:
    while True:
        await broker.publish(references(1_000))
