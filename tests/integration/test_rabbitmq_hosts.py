"""Several hosts in BROKER_URL, and connections that fall silent or are cut."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pika.heartbeat import HeartbeatChecker

from birthday_cli.brokers.base import Broker, connect
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable, UsageError
from tests.references import HANG, of, references, take
from tests.servers.process import free_port
from tests.servers.proxy import Proxy, proxy
from tests.servers.rabbitmq import RabbitNode


@pytest.fixture(params=["first", "last"])
def order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance has the hosts tried as they are written, or the other way round."""
    change = list.reverse if request.param == "last" else list.copy
    monkeypatch.setattr(random, "shuffle", change)


def at(settings: Settings, *hosts: str, options: str = "") -> Settings:
    """Return settings whose broker has these hosts."""
    url = f"amqp://guest:guest@{','.join(hosts)}/%2F{options}"
    return replace(settings, broker_url=url)


@pytest.mark.usefixtures("order")
async def test_a_host_that_answers_is_found_among_others(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = (
            f"127.0.0.1:{free_port()}",
            f"127.0.0.1:{rabbitmq.port}",
            f"127.0.0.1:{silent.getsockname()[1]}",
        )
        patient = replace(at(broker_settings, *hosts), broker_connect_timeout=9.0)
        async with asyncio.timeout(HANG), connect(patient, "") as broker:
            assert await broker.publish([]) == []


async def test_where_nobody_answers_each_host_is_named_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refusing, dumb = free_port(), silent.getsockname()[1]
        url = f"amqp://guest:secret@127.0.0.1:{refusing},127.0.0.1:{dumb}/%2F"
        async with asyncio.timeout(HANG):
            with pytest.raises(BrokerUnreachable) as caught:
                async with connect(Settings(broker_url=url, broker_connect_timeout=0.6), ""):
                    pass
    message = str(caught.value)
    assert f"amqp://guest:***@127.0.0.1:{refusing},127.0.0.1:{dumb}/%2F" in message
    assert f"127.0.0.1:{refusing}: [Errno 111]" in message or "Connection refused" in message
    assert f"127.0.0.1:{dumb}: no answer within" in message
    assert "secret" not in message
    assert "\n" not in message


@pytest.mark.parametrize("hosts", ["one,,two", "one,two:port", ",one"])
async def test_hosts_that_are_none_are_told_without_the_password(hosts: str) -> None:
    with pytest.raises(UsageError, match="BROKER_URL") as caught:
        async with connect(Settings(broker_url=f"amqp://guest:secret@{hosts}/"), ""):
            pass
    assert "secret" not in str(caught.value)


@asynccontextmanager
async def through_a_proxy(
    rabbitmq: RabbitNode, settings: Settings
) -> AsyncIterator[tuple[Proxy, Broker]]:
    """Yield a connection with a heartbeat of a second, and the proxy that it goes through."""
    async with (
        proxy(rabbitmq.port) as line,
        connect(at(settings, f"127.0.0.1:{line.port}", options="?heartbeat=1"), "") as broker,
    ):
        yield line, broker


async def test_a_line_that_falls_silent_ends_every_call_and_what_was_in_hand_comes_again(
    rabbitmq: RabbitNode, broker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pika grants a heartbeat 5 seconds more than it may take.
    checker: Any = HeartbeatChecker
    start = checker._start_check_timer

    def sooner(self: Any) -> None:
        self._check_interval = 1.5
        start(self)

    monkeypatch.setattr(checker, "_start_check_timer", sooner)
    impatient = replace(broker_settings, broker_connect_timeout=5.0)
    async with asyncio.timeout(HANG), through_a_proxy(rabbitmq, impatient) as (line, broker):
        sent = references(4)
        await broker.publish(sent)
        await broker.consume(2)
        in_hand = await take(broker, 2)
        waiting = asyncio.create_task(broker.receive(10, 2 * HANG))
        asked = asyncio.create_task(broker.depth())
        await asyncio.sleep(0)
        line.go_silent()
        for task in waiting, asked:
            with pytest.raises(BrokerUnreachable):
                await task
        for call in (
            broker.acknowledge(in_hand),
            broker.release(in_hand),
            broker.reject(in_hand, "for a reason"),
            broker.publish(sent),
            broker.consume(1),
            broker.stop_consuming(),
            broker.dead_letters(1),
            broker.discard([]),
            broker.purge(),
        ):
            with pytest.raises(BrokerUnreachable):
                await call
        async with connect(broker_settings, "") as other:
            await other.consume(10)
            assert of(await take(other, 4)) == set(sent)


async def test_a_line_that_is_cut_ends_a_waiting_consumer_and_it_can_connect_again(
    rabbitmq: RabbitNode, broker_settings: Settings
) -> None:
    async with asyncio.timeout(HANG):
        async with through_a_proxy(rabbitmq, broker_settings) as (line, broker):
            await broker.publish(references(1))
            await broker.consume(2)
            await take(broker, 1)
            waiting = asyncio.create_task(broker.receive(10, 2 * HANG))
            await asyncio.sleep(0)
            await line.cut()
            with pytest.raises(BrokerUnreachable):
                await waiting
            with pytest.raises(BrokerUnreachable):
                async with connect(at(broker_settings, f"127.0.0.1:{line.port}"), ""):
                    pass
            await line.recover()
            async with connect(at(broker_settings, f"127.0.0.1:{line.port}"), "") as again:
                await again.consume(1)
                assert len(await take(again, 1)) == 1
