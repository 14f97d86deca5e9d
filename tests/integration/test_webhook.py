from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from datetime import timedelta, timezone

import pytest

from birthday_cli import __version__
from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import UsageError
from tests.example import MESSAGE, send
from tests.servers.misbehaving import read_request, webhook
from tests.servers.receiver import Answer, Received, Receiver


class TestRequest:
    async def test_is_a_json_post_that_carries_the_message(self, receiver: Receiver) -> None:
        jakarta = timezone(timedelta(hours=7))
        nine_there = MESSAGE.scheduled_send_time.astimezone(jakarta)
        message = MESSAGE._replace(scheduled_send_time=nine_there, content="Zoë \ud800 \0 🎂")

        outcome = await send(f"{receiver.url}?source=1", message)

        (request,) = receiver.received
        assert outcome == Outcome(OutcomeClass.DELIVERED, 200, "")
        assert (request.method, request.path) == ("POST", "/messages?source=1")
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"] == f"bdaysched/{__version__}"
        assert request.headers["Idempotency-Key"] == MESSAGE.idempotency_key
        assert request.json == {
            "type": "birthday.message",
            "timestamp": "2026-03-01T02:00:00Z",
            "data": {
                "idempotency_key": MESSAGE.idempotency_key,
                "user_id": str(MESSAGE.user_id),
                "email": "siti@example.org",
                "message_type": "BIRTHDAY",
                "delivery_date": "2026-03-01",
                "message": "Zoë \ud800 \0 🎂",
            },
        }

    async def test_asks_for_nothing_special_however_long_it_is(self) -> None:
        heads = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        async with webhook(behave) as url:
            outcome = await send(url, MESSAGE._replace(content="x" * 2_000_000))

        assert outcome.kind is OutcomeClass.DELIVERED
        names = {line.partition(b":")[0].lower() for line in heads[0].splitlines()}
        assert not names & {b"expect", b"accept-encoding", b"transfer-encoding"}

    async def test_goes_to_the_address_as_it_is_written(self, receiver: Receiver) -> None:
        await send(receiver.url.replace("/messages", "/Zoë/%2F?q=a%20b&r=ü#part"))

        assert receiver.received[0].path == "/Zo%C3%AB/%2F?q=a%20b&r=%C3%BC"

    async def test_without_a_secret_is_not_signed(self, receiver: Receiver) -> None:
        await send(receiver.url)

        assert not [name for name in receiver.received[0].headers if name.startswith("webhook")]
        assert "Authorization" not in receiver.received[0].headers

    @pytest.mark.parametrize(
        ("secret", "key"),
        [
            (f"whsec_{base64.b64encode(bytes(range(32))).decode()}", bytes(range(32))),
            ("any ünd simple text", "any ünd simple text".encode()),
        ],
    )
    async def test_with_a_secret_is_signed_over_id_timestamp_and_body(
        self, secret: str, key: bytes, receiver: Receiver
    ) -> None:
        before = int(time.time())
        await send(receiver.url, delivery_secret=secret)

        (request,) = receiver.received
        version, _, signature = request.headers["webhook-signature"].partition(",")
        stamp = request.headers["webhook-timestamp"]
        signed = f"{MESSAGE.id}.{stamp}.".encode() + request.body
        assert version == "v1"
        assert request.headers["webhook-id"] == str(MESSAGE.id)
        assert before <= int(stamp) <= time.time()
        assert base64.b64decode(signature) == hmac.new(key, signed, hashlib.sha256).digest()

    async def test_names_the_same_id_and_key_each_time(self, receiver: Receiver) -> None:
        settings = Settings(delivery_url=receiver.url, delivery_secret="s")
        async with base.connect(settings) as channel:
            await channel.send(MESSAGE)
            await channel.send(MESSAGE._replace(retry_count=1))

        assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
        assert receiver.keys == {MESSAGE.idempotency_key: 2}

    async def test_userinfo_of_the_url_becomes_basic_authentication(
        self, receiver: Receiver
    ) -> None:
        await send(receiver.url.replace("://", "://bj%C3%B6rn:p%40ss%3Aword@"))

        (request,) = receiver.received
        assert request.path == "/messages"
        scheme, _, credentials = request.headers["Authorization"].partition(" ")
        assert scheme == "Basic"
        assert base64.b64decode(credentials).decode() == "björn:p@ss:word"

    async def test_brings_back_no_cookie_and_asks_no_proxy(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        receiver.answer = Answer(headers={"Set-Cookie": "seen=1; Path=/"})
        async with base.connect(
            Settings(delivery_url=receiver.url.replace("127.0.0.1", "localhost"))
        ) as channel:
            await channel.send(MESSAGE)
            await channel.send(MESSAGE)

        assert len(receiver.received) == 2
        assert "Cookie" not in receiver.received[1].headers

    @pytest.mark.parametrize("key", ["user:BIRTHDAY\r\nX-Forged: 1", "a\0b", "clé", "", " "])
    async def test_with_a_key_that_is_no_header_is_not_made(
        self, key: str, receiver: Receiver
    ) -> None:
        outcome = await send(receiver.url, MESSAGE._replace(idempotency_key=key))

        assert outcome.kind is OutcomeClass.PERMANENT
        assert outcome.error == "the idempotency key cannot be an HTTP header"
        assert receiver.received == []


class TestChannel:
    async def test_sends_concurrently_over_limited_connections_that_it_keeps(
        self, receiver: Receiver
    ) -> None:
        gate = asyncio.Barrier(4)

        async def together(_: Received) -> Answer:
            await gate.wait()
            return Answer()

        receiver.answer = together
        settings = Settings(delivery_url=receiver.url, worker_concurrency=4)
        async with base.connect(settings) as channel:
            outcomes = await asyncio.gather(*(channel.send(MESSAGE) for _ in range(12)))

        assert {outcome.kind for outcome in outcomes} == {OutcomeClass.DELIVERED}
        assert len({request.connection for request in receiver.received}) == 4

    async def test_cancellation_breaks_off_at_once_and_leaves_room(self) -> None:
        reached, closed = asyncio.Event(), asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            if reached.is_set():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                return
            reached.set()
            await reader.read()
            closed.set()

        async with webhook(behave) as url:
            settings = Settings(delivery_url=url, worker_concurrency=1, delivery_timeout=600)
            async with asyncio.timeout(60), base.connect(settings) as channel:
                sending = asyncio.create_task(channel.send(MESSAGE))
                await reached.wait()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                await closed.wait()
                assert (await channel.send(MESSAGE)).kind is OutcomeClass.DELIVERED

    async def test_that_is_left_breaks_off_what_is_under_way(self) -> None:
        reached = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await read_request(reader)
            reached.set()
            await reader.read()

        async with webhook(behave) as url:
            async with base.connect(Settings(delivery_url=url)) as channel:
                sending = asyncio.create_task(channel.send(MESSAGE))
                await reached.wait()
            with pytest.raises(asyncio.CancelledError):
                await sending

    async def test_goes_on_after_a_failure(self, receiver: Receiver) -> None:
        async with base.connect(Settings(delivery_url=receiver.url)) as channel:
            await receiver.stop()
            down = await channel.send(MESSAGE)
            await receiver.start()
            up = await channel.send(MESSAGE)

        assert down.kind is OutcomeClass.TRANSIENT
        assert up.kind is OutcomeClass.DELIVERED

    @pytest.mark.parametrize(
        "url",
        ["http://", "https:///path", "http://host:port/", "http://host:99999/", "http://a b/"],
    )
    async def test_refuses_a_url_that_cannot_be(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"^DELIVERY_URL .* write it like https://host/path$"):
            await send(url)

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_YW Jj", "whsec_YWI"])
    async def test_refuses_a_secret_that_is_not_what_it_says(self, secret: str) -> None:
        with pytest.raises(UsageError, match=r"^DELIVERY_SECRET starts with whsec_, but") as raised:
            await send("http://127.0.0.1/", delivery_secret=secret)
        assert "YW" not in str(raised.value)
