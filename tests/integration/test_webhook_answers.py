from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.retry import Outcome, OutcomeClass
from tests.example import MESSAGE, send
from tests.servers.misbehaving import answering, fall_silent, read_request, webhook
from tests.servers.receiver import Answer, Receiver


class TestAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    async def test_of_the_2xx_class_is_delivery(self, status: int, receiver: Receiver) -> None:
        receiver.answer = Answer(status)

        assert await send(receiver.url) == Outcome(OutcomeClass.DELIVERED, status, "")

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (408, "answered 408 Request Timeout"),
            (425, "answered 425 Too Early"),
            (429, "answered 429 Too Many Requests"),
            (500, "answered 500 Internal Server Error"),
            (503, "answered 503 Service Unavailable"),
            (599, "answered 599"),
        ],
    )
    async def test_that_may_change_is_transient(
        self, status: int, error: str, receiver: Receiver
    ) -> None:
        receiver.answer = Answer(status, b"later")

        assert await send(receiver.url) == Outcome(OutcomeClass.TRANSIENT, status, "later", error)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, "answered 400 Bad Request"),
            (401, "answered 401 Unauthorized"),
            (404, "answered 404 Not Found"),
            (410, "answered 410 Gone"),
            (409, "answered 409 Conflict"),
            (499, "answered 499"),
        ],
    )
    async def test_that_will_not_change_is_permanent(
        self, status: int, error: str, receiver: Receiver
    ) -> None:
        receiver.answer = Answer(status, b"no", {"Retry-After": "5"})

        assert await send(receiver.url) == Outcome(OutcomeClass.PERMANENT, status, "no", error)

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_that_redirects_is_permanent_and_says_why(
        self, status: int, receiver: Receiver
    ) -> None:
        receiver.answer = Answer(status, headers={"Location": "/elsewhere?token=secret"})

        outcome = await send(receiver.url)

        assert len(receiver.received) == 1
        assert outcome.kind is OutcomeClass.PERMANENT
        assert outcome.code == status
        assert outcome.error is not None
        assert outcome.error.endswith(
            "redirects are not followed, set DELIVERY_URL to the address itself"
        )
        assert "secret" not in outcome.error

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    async def test_may_ask_for_a_pause(self, status: int, receiver: Receiver) -> None:
        in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        receiver.answers.append(Answer(status, headers={"Retry-After": "17"}))
        receiver.answers.append(Answer(status, headers={"Retry-After": in_an_hour}))

        assert (await send(receiver.url)).retry_after == 17
        pause = (await send(receiver.url)).retry_after
        assert pause is not None
        assert 0 < pause <= 3600

    async def test_asks_for_no_pause_because_one_before_did(self, receiver: Receiver) -> None:
        receiver.answers.append(Answer(503, headers={"Retry-After": "17"}))
        receiver.answers.append(Answer(503))
        settings = Settings(delivery_url=receiver.url, worker_concurrency=1)
        async with base.connect(settings) as channel:
            pauses = [(await channel.send(MESSAGE)).retry_after for _ in range(2)]

        assert pauses == [17, None]

    async def test_is_recorded_in_part_and_without_nul(self, receiver: Receiver) -> None:
        receiver.answer = Answer(400, b"a\0b \xff " + "é".encode() * 100)

        outcome = await send(receiver.url, response_body_limit=10)

        assert outcome.body == "ab \ufffd ééééé"

    async def test_is_read_past_what_is_recorded_so_that_the_connection_lasts(
        self, receiver: Receiver
    ) -> None:
        receiver.answer = Answer(200, b"x" * 60_000)
        settings = Settings(delivery_url=receiver.url, response_body_limit=10)
        async with base.connect(settings) as channel:
            for _ in range(3):
                assert (await channel.send(MESSAGE)).body == "x" * 10

        assert len({request.connection for request in receiver.received}) == 1

    async def test_without_end_is_not_read_to_its_end(self) -> None:
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()

        async with webhook(behave) as url:
            outcome = await send(url, delivery_timeout=600, response_body_limit=1_000_000)

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.code == 500
        assert outcome.body == "x" * 65_536

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            ("200 OK", OutcomeClass.DELIVERED),
            ("500 Oh", OutcomeClass.TRANSIENT),
            ("404 No", OutcomeClass.PERMANENT),
        ],
    )
    async def test_that_breaks_off_after_its_status_is_one(
        self, status: str, kind: OutcomeClass
    ) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n".encode()

        async with webhook(answering(head, b"half of i")) as url:
            outcome = await send(url)

        assert outcome.kind is kind
        assert outcome.code == int(status[:3])
        assert outcome.body == "half of i"

    async def test_whose_body_does_not_come_is_one(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow"

        async with webhook(answering(head, then=fall_silent)) as url:
            outcome = await send(url)

        assert outcome == Outcome(OutcomeClass.DELIVERED, 200, "slow")

    async def test_that_says_it_is_packed_is_recorded_as_it_came(self, receiver: Receiver) -> None:
        receiver.answer = Answer(200, b"this is no gzip", {"Content-Encoding": "gzip"})

        outcome = await send(receiver.url)

        assert outcome == Outcome(OutcomeClass.DELIVERED, 200, "this is no gzip")

    @pytest.mark.parametrize("body", [b"", b"zz\r\nnonsense", b"5\r\nab"])
    async def test_with_broken_chunks_is_one(self, body: bytes) -> None:
        head = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: 9\r\n\r\n"

        async with webhook(answering(head, body)) as url:
            outcome = await send(url)

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert (outcome.code, outcome.retry_after) == (503, 9)
