"""The checks that need no database, with exactly that broken which each is about."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from birthday_cli.brokers import rabbitmq_topology
from birthday_cli.brokers.base import connect
from birthday_cli.brokers.rabbitmq_topology import wanted
from birthday_cli.config import Settings
from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.doctor import around
from birthday_cli.pipeline.doctor.around import look_around
from birthday_cli.pipeline.doctor.checks import exit_code
from birthday_cli.pipeline.doctor.finding import Finding, Verdict
from tests.examined import told
from tests.references import HANG, references
from tests.servers.certificates import Authority
from tests.servers.mailbox import mailbox
from tests.servers.rabbitmq import RabbitNode
from tests.servers.receiver import Receiver
from tests.servers.redis import RedisServer

SETTINGS = Settings(delivery_url="console:")
NO_API = {"policies": "not known"}


# ---- settings


async def test_without_anything_beside_the_database_all_is_ok() -> None:
    found = await look_around(SETTINGS)
    assert told(found) == {}
    assert found["redis"].evidence == "not set, and not needed"
    assert found["broker"].evidence == "the database is the broker"
    assert "queue" not in found


async def test_a_wrong_setting_is_told_and_costs_no_other_check() -> None:
    found = await look_around(replace(SETTINGS, leap_day="feb-30"))
    assert told(found) == {"settings": "wrong"}
    assert found["settings"].evidence.startswith("LEAP_DAY='feb-30' is not one of")
    assert exit_code(found) is ExitCode.USAGE


async def test_a_clock_that_is_not_the_worlds_is_warned_of() -> None:
    found = await look_around(replace(SETTINGS, bdaysched_now="2027-03-10T09:00Z"))
    assert told(found) == {"settings": "warning"}
    assert found["settings"].command == "unset BDAYSCHED_NOW"
    assert exit_code(found) is ExitCode.DONE


async def test_a_check_that_fails_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Settings) -> Finding:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(around, "_redis", broken)
    found = await look_around(SETTINGS)
    assert told(found) == {"redis": "not known"}
    assert found["redis"].evidence == "ZeroDivisionError: division by zero"


# ---- Redis


async def test_redis(private_redis: RedisServer) -> None:
    settings = replace(SETTINGS, redis_url=private_redis.url)
    assert (await look_around(settings))["redis"].evidence == "answers"
    private_redis.stop()
    found = await look_around(settings)
    assert told(found) == {"redis": "wrong"}
    assert found["redis"].evidence.startswith("unreachable: ")
    assert "REDIS_URL" in found["redis"].command


# ---- the delivery service


async def test_nothing_is_sent_to_the_delivery_service(receiver: Receiver) -> None:
    found = await look_around(replace(SETTINGS, delivery_url=receiver.url))
    assert found["delivery"].verdict is Verdict.OK
    assert receiver.received == []


async def test_a_delivery_service_that_is_away(receiver: Receiver) -> None:
    await receiver.stop()
    url = receiver.url.replace("http://", "http://me:geheim@")
    found = await look_around(replace(SETTINGS, delivery_url=url))
    assert told(found) == {"delivery": "wrong"}
    assert found["delivery"].evidence.endswith(": Connection refused")
    assert "geheim" not in str(found)
    assert "DELIVERY_URL" in found["delivery"].command


async def test_a_delivery_service_that_says_nothing_is_not_waited_for() -> None:
    # Accepted by the system, and never by a program; TLS waits for the other side.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        found = await look_around(replace(SETTINGS, delivery_url=url, delivery_timeout=0.2))
    assert told(found) == {"delivery": "wrong"}
    assert found["delivery"].evidence.endswith("no answer within 0.2 s")


async def test_a_certificate_that_nobody_trusts(authority: Authority, stranger: Authority) -> None:
    certificate = authority.server("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        settings = replace(SETTINGS, delivery_url=f"https://127.0.0.1:{port}/hook")
        refused = await look_around(replace(settings, delivery_ca=str(stranger.ca)))
        trusted = await look_around(replace(settings, delivery_ca=str(authority.ca)))
        async with asyncio.timeout(HANG):
            while not heard:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert told(refused) == {"delivery": "wrong"}
    assert "its certificate is refused: " in refused["delivery"].evidence
    assert trusted["delivery"].evidence == f"127.0.0.1:{port} answers, with TLS"
    assert heard == [b""]


async def test_a_mail_server_is_only_connected_to() -> None:
    async with mailbox() as box:
        found = await look_around(replace(SETTINGS, delivery_url=f"smtp://127.0.0.1:{box.port}"))
        assert told(found) == {}
        assert box.mails == []


async def test_a_delivery_url_that_is_none_and_one_that_is_not_set() -> None:
    found = await look_around(replace(SETTINGS, delivery_url="pigeon://loft"))
    assert (told(found), exit_code(found)) == ({"delivery": "wrong"}, ExitCode.USAGE)
    found = await look_around(replace(SETTINGS, delivery_url=""))
    assert told(found) == {"delivery": "not known"}


# ---- the broker


@pytest.fixture
def settings(broker_settings: Settings) -> Settings:
    return replace(broker_settings, delivery_url="console:")


@pytest.fixture
def channel(rabbitmq: RabbitNode) -> Iterator[BlockingChannel]:
    """Return a channel of another program."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url))
    yield connection.channel()
    connection.close()


async def declare(settings: Settings) -> None:
    async with connect(settings, ""):
        pass


async def test_a_healthy_broker_is_all_ok_but_for_what_amqp_does_not_tell(
    settings: Settings,
) -> None:
    await declare(settings)
    found = await look_around(settings)
    assert told(found) == NO_API
    assert found["broker"].evidence.startswith("RabbitMQ ")
    assert found["queue"].evidence.endswith("0 ready, 0 consumers")
    assert found["policies"].command.startswith("rabbitmqctl list_queues ")
    assert exit_code(found) is ExitCode.DONE


async def test_a_broker_that_is_away() -> None:
    found = await look_around(replace(SETTINGS, broker_url="amqp://me:geheim@127.0.0.1:1/"))
    assert told(found) == {"broker": "wrong", "queue": "not known", "dead letters": "not known"}
    assert "geheim" not in str(found)
    assert found["broker"].command.startswith("check BROKER_URL")
    assert exit_code(found) is ExitCode.BROKER_UNREACHABLE


async def test_a_broker_url_that_is_none() -> None:
    for url in ("http://me:geheim@x", "amqp://me:gehe/im@x:y"):
        found = await look_around(replace(SETTINGS, broker_url=url))
        assert found["broker"].verdict is Verdict.WRONG
        assert exit_code(found) is ExitCode.USAGE
        assert "gehe" not in str(found)


async def test_a_queue_that_is_missing_is_not_made(
    rabbitmq: RabbitNode, settings: Settings
) -> None:
    found = await look_around(settings)
    name = settings.broker_queue
    assert told(found) == {**NO_API, "queue": "wrong", "dead letters": "not known"}
    assert found["queue"].evidence.startswith(f"NOT_FOUND - no queue '{name}'")
    assert found["queue"].command.startswith("bdaysched schedule")
    listed = json.loads(rabbitmq.control("--formatter=json", "list_queues", "name"))
    assert not [each for each in listed if each["name"].startswith(name)]


async def test_a_queue_of_dead_letters_that_is_missing(
    settings: Settings, channel: BlockingChannel
) -> None:
    await declare(settings)
    channel.queue_delete(rabbitmq_topology.dead(settings))
    found = await look_around(settings)
    assert told(found) == {**NO_API, "queue": "wrong", "dead letters": "not known"}
    assert f"no queue '{settings.broker_queue}.dead'" in found["queue"].evidence


async def test_an_exchange_that_is_missing(settings: Settings, channel: BlockingChannel) -> None:
    await declare(settings)
    channel.exchange_delete(settings.broker_queue)
    found = await look_around(settings)
    assert told(found) == {**NO_API, "queue": "wrong"}
    assert f"no exchange '{settings.broker_queue}'" in found["queue"].evidence


@pytest.mark.parametrize(
    "argument", ["x-queue-type", "x-delivery-limit", "x-overflow", "x-dead-letter-strategy"]
)
async def test_a_queue_of_another_kind_names_what_differs(
    settings: Settings, channel: BlockingChannel, argument: str
) -> None:
    await declare(settings)
    name = settings.broker_queue
    arguments = dict(wanted(settings)[1].arguments)
    del arguments[argument]
    if argument == "x-queue-type":
        arguments = {each: arguments[each] for each in arguments if "dead-letter-" in each}
        del arguments["x-dead-letter-strategy"]
    channel.queue_delete(name)
    channel.queue_declare(name, durable=True, arguments=arguments)
    found = await look_around(settings)
    assert told(found) == {**NO_API, "queue": "wrong"}
    assert "PRECONDITION_FAILED - inequivalent arg 'x-" in found["queue"].evidence
    if argument != "x-queue-type":
        assert argument in found["queue"].evidence
    assert f"rabbitmqctl delete_queue {name}" in found["queue"].command


async def test_a_limit_that_was_set_otherwise(settings: Settings) -> None:
    await declare(settings)
    found = await look_around(replace(settings, broker_delivery_limit=5))
    assert told(found) == {**NO_API, "queue": "wrong"}
    assert "received '5' but current is '20'" in found["queue"].evidence


async def test_dead_letters(settings: Settings) -> None:
    async with connect(settings, "") as broker:
        await broker.publish(references(1))
        await broker.consume(1)
        await broker.reject(await broker.receive(1, HANG), "no reason")
    found = await look_around(settings)
    assert told(found) == {**NO_API, "dead letters": "wrong"}
    assert found["dead letters"].evidence == "1 were put aside"
    assert found["dead letters"].command == "bdaysched queue dead"
