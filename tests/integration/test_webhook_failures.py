from __future__ import annotations

import asyncio
import socket

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

    async def test_unknown_name_is_transient(self) -> None:
        # Nobody is asked for a name of this kind (RFC 7686).
        outcome = await send("http://nowhere.onion/?key=geheim")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("cannot connect to nowhere.onion:80: Not resolving")

    async def test_no_answer_to_the_connection_is_transient(self) -> None:
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for other in (first, second):
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            silence = asyncio.create_task(fall_silent())
            outcome = await send(f"http://127.0.0.1:{full.getsockname()[1]}/")
            silence.cancel()

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert outcome.error.startswith("no connection from 127.0.0.1:")

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

    async def test_hanging_up_after_an_interim_answer_is_ambiguous(self) -> None:
        async with webhook(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n")) as url:
            outcome = await send(url)

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.code is None

    async def test_hanging_up_within_the_headers_is_not_hidden_by_an_answer_before(self) -> None:
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
        parts = iter([whole, whole[:20]])

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for part in parts:
                await read_request(reader)
                writer.write(part)

        async with webhook(behave) as url:
            settings = Settings(delivery_url=url, worker_concurrency=1)
            async with base.connect(settings) as channel:
                first, second = await channel.send(MESSAGE), await channel.send(MESSAGE)

        assert first.kind is OutcomeClass.DELIVERED
        assert second.kind is OutcomeClass.AMBIGUOUS
        assert second.code is None

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
            outcome = await send(url + "?key=geheim", MESSAGE._replace(content="x" * 900_000))

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

    async def test_on_kept_connections_that_were_closed_meanwhile_does_not_happen(self) -> None:
        gate, closed = asyncio.Barrier(4), asyncio.Semaphore(0)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            await gate.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            closed.release()

        async with webhook(behave) as url, base.connect(Settings(delivery_url=url)) as channel:
            for _ in range(3):
                outcomes = await asyncio.gather(*(channel.send(MESSAGE) for _ in range(4)))
                assert {outcome.kind for outcome in outcomes} == {OutcomeClass.DELIVERED}
                for _ in range(4):
                    await closed.acquire()
