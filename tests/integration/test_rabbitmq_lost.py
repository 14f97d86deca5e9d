"""Every way to lose RabbitMQ, and not to get it in the first place."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from birthday_cli.brokers.base import Broker, connect
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable, UsageError
from tests.references import HANG, drain, references
from tests.servers.rabbitmq import RabbitNode

AFTER_DECLARING = 3.0
"""Seconds until a new quorum queue on a single node survives `kill -9`; see RabbitNode.kill."""


@pytest.fixture(autouse=True)
def _node_runs_afterwards(rabbitmq: RabbitNode) -> Iterator[None]:
    yield
    rabbitmq.start()


@pytest.fixture
def silence(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing reaches the terminal but what the error says, of a program that logs to it."""
    terminal = logging.StreamHandler()
    logging.getLogger().addHandler(terminal)
    yield
    logging.getLogger().removeHandler(terminal)
    assert capfd.readouterr() == ("", "")


# ---- restarts


async def test_confirmed_references_outlive_a_restart_and_a_crash(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    kept = references(200)
    async with connect(broker_settings, "") as broker:
        await asyncio.sleep(AFTER_DECLARING)
        assert await broker.publish(kept[:100]) == kept[:100]
    rabbitmq.stop()
    rabbitmq.start()
    async with connect(broker_settings, "") as broker:
        await asyncio.sleep(AFTER_DECLARING)
        assert await broker.publish(kept[100:]) == kept[100:]
    rabbitmq.kill()
    rabbitmq.start()
    async with connect(broker_settings, "") as broker:
        await broker.consume(100)
        assert await drain(broker, 200) == set(kept)


@pytest.mark.usefixtures("silence")
async def test_a_killed_node_ends_publishing_consuming_and_waiting(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    empty = replace(broker_settings, broker_queue=f"{broker_settings.broker_queue}.empty")
    async with (
        connect(broker_settings, "") as publisher,
        connect(broker_settings, "") as consumer,
        connect(empty, "") as idler,
        asyncio.timeout(HANG),
    ):
        await consumer.consume(10)
        await idler.consume(10)
        ended: list[asyncio.Task[object]] = [asyncio.create_task(_publish_for_ever(publisher))]
        await drain(consumer, 1_000)
        ended.append(asyncio.create_task(_consume_for_ever(consumer)))
        ended.append(asyncio.create_task(idler.receive(10, 2 * HANG)))
        await asyncio.sleep(0)
        await asyncio.to_thread(rabbitmq.kill)
        for task in ended:
            with pytest.raises(BrokerUnreachable):
                await task
        for call in (
            consumer.stop_consuming(),
            consumer.consume(1),
            publisher.publish(references(1)),
        ):
            with pytest.raises(BrokerUnreachable):
                await call


async def _publish_for_ever(broker: Broker) -> object:
    while True:
        await broker.publish(references(1_000))


async def _consume_for_ever(broker: Broker) -> object:
    while True:
        await broker.acknowledge(await broker.receive(10, HANG))


# ---- a broker that does not answer


async def test_a_node_that_hangs_is_given_up(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    impatient = replace(broker_settings, broker_connect_timeout=2.5)
    async with connect(broker_settings, ""):  # declaring takes longer than that at times
        pass
    async with connect(impatient, "") as broker:
        rabbitmq.freeze()
        try:
            async with asyncio.timeout(HANG):
                with pytest.raises(BrokerUnreachable, match=r"no answer for 2\.5 s"):
                    await broker.publish(references(1))
        finally:
            rabbitmq.thaw()


async def test_a_queue_that_is_deleted_under_its_consumer_ends_receiving(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    async with connect(broker_settings, "") as broker:
        await broker.consume(10)
        receiving = asyncio.create_task(broker.receive(10, HANG))
        await asyncio.sleep(0)
        await asyncio.to_thread(rabbitmq.control, "delete_queue", broker_settings.broker_queue)
        with pytest.raises(BrokerUnreachable, match=f"cancelled .* {broker_settings.broker_queue}"):
            await receiving
        with pytest.raises(BrokerUnreachable):
            await broker.publish(references(1))
        with pytest.raises(BrokerUnreachable):
            await broker.depth()


async def test_a_connection_that_is_being_closed_says_so(broker_settings: Settings) -> None:
    async with connect(broker_settings, "") as broker:
        await broker.consume(1)
        waiting = asyncio.create_task(broker.receive(1, HANG))
        await asyncio.sleep(0)
    with pytest.raises(BrokerUnreachable, match="this connection was closed"):
        await waiting


# ---- connecting


async def refusal(url: str, seconds: float = 10.0) -> str:
    """Return why no connection comes about."""
    async with asyncio.timeout(HANG):
        with pytest.raises(BrokerUnreachable) as caught:
            async with connect(Settings(broker_url=url, broker_connect_timeout=seconds), ""):
                pass
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    assert "Check BROKER_URL" in message
    return message


@pytest.mark.usefixtures("silence")
async def test_a_wrong_password_is_told(rabbitmq: RabbitNode) -> None:
    url = rabbitmq.url.replace("guest:guest", "guest:secret")
    message = await refusal(url)
    assert "ACCESS_REFUSED" in message
    assert f"amqp://guest:***@127.0.0.1:{rabbitmq.port}/%2F" in message


@pytest.mark.usefixtures("silence")
async def test_an_unknown_virtual_host_is_told(rabbitmq: RabbitNode) -> None:
    assert "vhost nowhere not found" in await refusal(rabbitmq.url.replace("%2F", "nowhere"))


@pytest.mark.usefixtures("silence")
async def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        message = await refusal(f"amqp://guest:secret@127.0.0.1:{port}/%2F")
    assert "Connection refused" in message


@pytest.mark.usefixtures("silence")
async def test_an_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in await refusal("amqp://guest:secret@broker.test/%2F")


@pytest.mark.usefixtures("silence")
async def test_tls_where_there_is_none_is_told(rabbitmq: RabbitNode) -> None:
    assert "SSL" in await refusal(rabbitmq.url.replace("amqp:", "amqps:"))


@pytest.mark.usefixtures("silence")
async def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        message = await refusal(f"amqp://guest:secret@127.0.0.1:{port}/%2F", 0.3)
    assert "no answer within 0.3 s" in message


@pytest.mark.usefixtures("silence")
async def test_a_server_that_accepts_nobody_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as busy, ExitStack() as waiting:
        for _ in range(3):
            line = waiting.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(busy.getsockname())
        port = busy.getsockname()[1]
        message = await refusal(f"amqp://guest:secret@127.0.0.1:{port}/%2F", 0.3)
    assert "no answer within 0.3 s" in message


@pytest.mark.parametrize(
    "url",
    [
        "amqp://guest:secret/of/ours@localhost/%2F",
        "amqp://guest:secret@localhost:5672/%2F?speed=high",
        "amqp://guest@localhost/%2F",
        "amqps://guest:secret@localhost/%2F?ssl_options={'ca_certs':'/nowhere'}",
    ],
)
async def test_what_is_no_url_is_told_without_the_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        async with connect(Settings(broker_url=url), ""):
            pass
    assert "BROKER_URL" in str(caught.value)
    assert "secret" not in str(caught.value)
