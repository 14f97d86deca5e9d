from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.retry import OutcomeClass
from tests.example import MESSAGE, send
from tests.servers.misbehaving import answering, fall_silent, read_request, webhook
from tests.servers.receiver import Receiver


class TestFailureBeforeTheRequest:
    async def test_refused_connection_is_transient(self, receiver: Receiver) -> None:
        await receiver.stop()

        outcome = await send(receiver.url.replace("://", "://user:geheim@") + "?key=geheim")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert (outcome.code, outcome.body) == (None, None)
        assert outcome.error is not None
        assert outcome.error.startswith("cannot connect to 127.0.0.1:")
        assert "geheim" not in outcome.error

    async def test_unknown_name_is_transient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        outcome = await send("http://nowhere.invalid/")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("cannot connect to nowhere.invalid:80: ")

    async def test_failed_tls_handshake_is_transient(self) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"this is no TLS\r\n")
            await writer.drain()

        async with webhook(behave) as url:
            outcome = await send(url.replace("http:", "https:"))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("cannot connect to 127.0.0.1:")

    async def test_time_out_while_connecting_is_transient(self) -> None:
        async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            await fall_silent()

        async with webhook(behave) as url:
            outcome = await send(url.replace("http:", "https:") + "?key=geheim")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("no connection from 127.0.0.1:")
        assert outcome.error.endswith(" within 10 s")


class TestFailureAfterTheRequest:
    async def test_hanging_up_is_ambiguous(self) -> None:
        async with webhook(answering()) as url:
            outcome = await send(url.replace("://", "://u:geheim@") + "?key=geheim")

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.code is None
        assert outcome.error is not None
        assert outcome.error.endswith(" closed the connection without an answer")
        assert "geheim" not in outcome.error

    async def test_reset_is_ambiguous(self) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            transport = writer.transport
            assert isinstance(transport, asyncio.WriteTransport)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + b"\0" * 4)
            transport.abort()

        async with webhook(behave) as url:
            outcome = await send(url + "?key=geheim")

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.error is not None
        assert outcome.error.endswith(": Connection reset by peer")

    async def test_hanging_up_within_the_headers_is_ambiguous(self) -> None:
        async with webhook(answering(b"HTTP/1.1 200 OK\r\nContent-Le")) as url:
            outcome = await send(url)

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.code is None

    @pytest.mark.parametrize("more", [b"", b"y" * 1000])
    async def test_answer_that_is_not_http_is_ambiguous_and_told_in_one_line(
        self, more: bytes
    ) -> None:
        async with webhook(answering(b"SSH-2.0-x\0\x1b[2J" + more + b"\r\n\r\n")) as url:
            outcome = await send(url + "?key=geheim")

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.code is None
        assert outcome.error is not None
        assert " did not answer in HTTP: " in outcome.error
        assert outcome.error.isprintable()
        assert len(outcome.error) <= 300
        assert "geheim" not in outcome.error

    async def test_no_answer_is_ambiguous(self) -> None:
        async with webhook(answering(then=fall_silent)) as url:
            outcome = await send(url + "?key=geheim")

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.error is not None
        assert outcome.error.startswith("no answer from 127.0.0.1:")
        assert outcome.error.endswith(" within 10 s")

    async def test_request_that_could_not_be_written_whole_is_ambiguous(self) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            writer.transport.abort()

        async with webhook(behave) as url:
            outcome = await send(url + "?key=geheim", replace(MESSAGE, content="x" * 900_000))

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.error is not None
        assert "geheim" not in outcome.error

    async def test_is_not_sent_again_by_the_client_itself(self) -> None:
        requests = 0

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            await read_request(reader)
            requests += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await read_request(reader)
            requests += 1

        async with webhook(behave) as url, base.connect(Settings(delivery_url=url)) as channel:
            first, second = await channel.send(MESSAGE), await channel.send(MESSAGE)

        assert first.kind is OutcomeClass.DELIVERED
        assert second.kind is OutcomeClass.AMBIGUOUS
        assert requests == 2
