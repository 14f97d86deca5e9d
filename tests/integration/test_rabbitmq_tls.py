"""TLS to RabbitMQ, with a certificate on either side; and one line that says which is at fault."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from birthday_cli.brokers.base import connect
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable, UsageError
from tests.references import HANG, drain, references
from tests.servers.certificates import Authority, Certificate
from tests.servers.rabbitmq import RabbitNode


@pytest.fixture
def presenting(rabbitmq: RabbitNode, authority: Authority) -> Iterator[RabbitNode]:
    """The node, which may be given another certificate."""
    yield rabbitmq
    rabbitmq.present(authority.server("localhost", "127.0.0.1"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.client("worker")


def url(node: RabbitNode, authority: Authority, client: Certificate | None, *options: str) -> str:
    files = [f"cacertfile={authority.ca}"]
    if client:
        files += [f"certfile={client.chain}", f"keyfile={client.key}"]
    return f"{node.tls_url}?{'&'.join([*files, *options])}"


async def refused(url: str, error: type[Exception] = BrokerUnreachable) -> str:
    async with asyncio.timeout(HANG):
        with pytest.raises(error) as caught:
            async with connect(Settings(broker_url=url.replace("guest@", "secret@")), ""):
                pass
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    assert "BROKER_URL" in message
    return message


async def test_both_sides_show_a_certificate(
    rabbitmq: RabbitNode, authority: Authority, ours: Certificate, broker_settings: Settings
) -> None:
    settings = Settings(
        broker_url=url(rabbitmq, authority, ours), broker_queue=broker_settings.broker_queue
    )
    async with connect(settings, "") as broker, asyncio.timeout(HANG):
        sent = references(500)
        assert await broker.publish(sent) == sent
        await broker.consume(100)
        [first] = await broker.receive(1, HANG)
        await broker.reject([first], "put aside over TLS as well")
        await drain(broker, 499)
        [letter] = await broker.dead_letters(10)
    assert letter.reason == "put aside over TLS as well"


async def test_a_node_whose_certificate_a_stranger_signed(
    rabbitmq: RabbitNode, stranger: Authority, ours: Certificate
) -> None:
    said = await refused(url(rabbitmq, stranger, ours))
    assert "its certificate is refused: self-signed certificate in certificate chain" in said
    assert "cacertfile" in said


async def test_the_system_s_authorities_are_asked_when_none_is_named(rabbitmq: RabbitNode) -> None:
    said = await refused(rabbitmq.tls_url)
    assert "its certificate is refused: self-signed certificate in certificate chain" in said


async def test_a_node_whose_certificate_has_expired(
    presenting: RabbitNode, authority: Authority, ours: Certificate
) -> None:
    presenting.present(authority.server("localhost", expired=True))
    said = await refused(url(presenting, authority, ours))
    assert "its certificate is refused: certificate has expired" in said


async def test_a_node_whose_certificate_is_another_host_s(
    presenting: RabbitNode, authority: Authority, ours: Certificate
) -> None:
    presenting.present(authority.server("broker.test"))
    said = await refused(url(presenting, authority, ours))
    assert "its certificate is refused: Hostname mismatch" in said
    assert "'localhost'" in said
    named = url(presenting, authority, ours, "server_name_indication=broker.test")
    async with connect(Settings(broker_url=named), ""):
        pass


async def test_what_is_not_verified_need_not_be_right(
    presenting: RabbitNode, authority: Authority, stranger: Authority, ours: Certificate
) -> None:
    presenting.present(authority.server("broker.test", expired=True))
    async with connect(
        Settings(broker_url=url(presenting, stranger, ours, "verify=verify_none")), ""
    ):
        pass


async def test_a_node_that_wants_a_certificate_of_us(
    rabbitmq: RabbitNode, authority: Authority
) -> None:
    said = await refused(url(rabbitmq, authority, None))
    assert "it wants a certificate of ours" in said
    assert "certfile" in said


async def test_our_certificate_is_a_stranger_s(
    rabbitmq: RabbitNode, authority: Authority, stranger: Authority
) -> None:
    said = await refused(url(rabbitmq, authority, stranger.client("worker")))
    assert "it refuses our certificate: unknown ca" in said


async def test_our_certificate_has_expired(rabbitmq: RabbitNode, authority: Authority) -> None:
    said = await refused(url(rabbitmq, authority, authority.client("worker", expired=True)))
    assert "it refuses our certificate: certificate expired" in said


async def test_a_key_of_another_certificate(
    rabbitmq: RabbitNode, authority: Authority, ours: Certificate
) -> None:
    other = Certificate(ours.chain, authority.client("another").key)
    said = await refused(url(rabbitmq, authority, other), UsageError)
    assert f"keyfile={other.key} does not fit the certificate in certfile={ours.chain}" in said


async def test_files_that_cannot_be_used(
    rabbitmq: RabbitNode, authority: Authority, ours: Certificate, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no PEM")
    away = Certificate(tmp_path / "away.pem", ours.key)
    said = await refused(url(rabbitmq, authority, away), UsageError)
    assert f"certfile={away.chain} in BROKER_URL cannot be read (No such file" in said
    said = await refused(f"{rabbitmq.tls_url}?cacertfile={junk}", UsageError)
    assert f"cacertfile={junk} in BROKER_URL is not a PEM file" in said
    said = await refused(url(rabbitmq, authority, Certificate(junk, ours.key)), UsageError)
    assert f"certfile={junk} and keyfile={ours.key} must be PEM" in said
    said = await refused(f"{rabbitmq.tls_url}?keyfile={ours.key}", UsageError)
    assert "needs certfile" in said
    said = await refused(f"{rabbitmq.tls_url}?verify=maybe", UsageError)
    assert "verify=maybe" in said
    said = await refused(f"{rabbitmq.url}?cacertfile={authority.ca}", UsageError)
    assert "cacertfile in BROKER_URL is about TLS: write amqps://" in said
