from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.retry import Outcome, OutcomeClass
from tests.example import MESSAGE, send
from tests.servers.certificates import Authority
from tests.servers.mailbox import mailbox
from tests.servers.misbehaving import Behaviour, fall_silent, server

OK = b"250 OK\r\n"
GO_AHEAD = b"354 Go ahead\r\n"


def dialogue(
    *replies: bytes,
    greeting: bytes = b"220 mail.example\r\n",
    then: Callable[[], Awaitable[object]] | None = None,
) -> Behaviour:
    """Return the behaviour of giving one reply to each command, and doing then after the last."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        end = b"\r\n"
        for reply in replies:
            await reader.readuntil(end)
            writer.write(reply)
            await writer.drain()
            end = b"\r\n.\r\n" if reply == GO_AHEAD else b"\r\n"
        if then:
            await then()

    return behave


class TestReply:
    @pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            ("450 Mailbox busy", OutcomeClass.TRANSIENT),
            ("451 Try again later", OutcomeClass.TRANSIENT),
            ("421 Closing down", OutcomeClass.TRANSIENT),
            ("550 No such user", OutcomeClass.PERMANENT),
            ("554 Not wanted", OutcomeClass.PERMANENT),
        ],
    )
    async def test_decides_to_whichever_command_it_was(
        self, command: str, reply: str, kind: OutcomeClass
    ) -> None:
        async with mailbox() as box:
            box.replies[command].append(reply)
            outcome = await send(f"smtp://127.0.0.1:{box.port}")

        code, _, text = reply.partition(" ")
        assert outcome == Outcome(kind, int(code), text, f"answered {reply}")
        assert box.mails == []

    @pytest.mark.parametrize(
        ("greeting", "kind"),
        [(b"421 Busy\r\n", OutcomeClass.TRANSIENT), (b"554 No\r\n", OutcomeClass.PERMANENT)],
    )
    async def test_to_the_connection_itself_decides_too(
        self, greeting: bytes, kind: OutcomeClass
    ) -> None:
        async with server(dialogue(greeting=greeting)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome.kind is kind
        assert outcome.code == int(greeting[:3])

    async def test_is_recorded_in_part_and_without_what_a_database_cannot_hold(self) -> None:
        said = b"250-caf\xe9\r\n250-a\0b\r\n250 and more\r\n"
        async with server(dialogue(OK, OK, OK, GO_AHEAD, said)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}", response_body_limit=10)

        assert outcome == Outcome(OutcomeClass.DELIVERED, 250, "caf\ufffd\nab\nan")

    async def test_of_several_lines_makes_an_error_of_one(self) -> None:
        said = b"550-No such user\r\n550-\x1b[2J\r\n550 password=geheim\r\n"
        async with server(dialogue(OK, OK, said)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome.error == "answered 550 No such user [2J password=***"


class TestFailure:
    async def test_to_connect_is_transient(self) -> None:
        async with server(dialogue()) as port:
            pass

        outcome = await send(f"smtp://user:geheim@127.0.0.1:{port}")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.code is None
        assert outcome.error is not None
        assert outcome.error.startswith(f"Error connecting to 127.0.0.1 on port {port}: ")
        assert "geheim" not in outcome.error

    @pytest.mark.parametrize("replies", [[], [OK], [OK, OK]])
    async def test_before_data_is_transient(self, replies: list[bytes]) -> None:
        async with server(dialogue(*replies)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.code is None

    @pytest.mark.parametrize("replies", [[], [OK], [OK, OK]])
    async def test_to_answer_before_data_is_transient(self, replies: list[bytes]) -> None:
        async with server(dialogue(*replies, then=fall_silent)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome == Outcome(OutcomeClass.TRANSIENT, error="no answer within 10 s")

    async def test_to_greet_is_transient(self) -> None:
        async with server(dialogue(greeting=b"", then=fall_silent)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome == Outcome(OutcomeClass.TRANSIENT, error="no answer within 10 s")

    @pytest.mark.parametrize("replies", [[], [GO_AHEAD], [GO_AHEAD, b""]])
    async def test_from_data_on_is_ambiguous(self, replies: list[bytes]) -> None:
        async with server(dialogue(OK, OK, OK, *replies)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome.kind is OutcomeClass.AMBIGUOUS
        assert outcome.code is None

    async def test_to_answer_the_data_is_ambiguous(self) -> None:
        async with server(dialogue(OK, OK, OK, GO_AHEAD, b"", then=fall_silent)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome == Outcome(OutcomeClass.AMBIGUOUS, error="no answer within 10 s")

    async def test_to_make_sense_is_told_by_how_far_it_came(self) -> None:
        async with server(dialogue(OK, b"what?\r\n")) as port:
            before = await send(f"smtp://127.0.0.1:{port}")
        async with server(dialogue(OK, OK, OK, GO_AHEAD, b"what?\r\n")) as port:
            after = await send(f"smtp://127.0.0.1:{port}")

        assert before.kind is OutcomeClass.TRANSIENT
        assert after.kind is OutcomeClass.AMBIGUOUS
        assert (before.code, after.code) == (None, None)

    async def test_costs_the_connection_so_that_a_late_reply_is_not_taken_for_another(self) -> None:
        nonsense = dialogue(OK, OK, OK, GO_AHEAD, b"what?\r\n")
        afterwards = []

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await nonsense(reader, writer)
            afterwards.append(await reader.readline())

        async with server(behave) as port:
            settings = Settings(delivery_url=f"smtp://127.0.0.1:{port}")
            async with base.connect(settings) as channel:
                await channel.send(MESSAGE)
                await channel.send(MESSAGE)

        assert set(afterwards) == {b""}

    async def test_to_say_goodbye_is_no_reason_to_wait(self) -> None:
        async with server(dialogue(OK, OK, OK, GO_AHEAD, OK, then=fall_silent)) as port:
            outcome = await send(f"smtp://127.0.0.1:{port}")

        assert outcome.kind is OutcomeClass.DELIVERED

    async def test_to_reset_an_idle_connection_closes_it(self) -> None:
        closed = asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await dialogue(OK, OK, OK, GO_AHEAD, OK, b"502 No RSET here\r\n")(reader, writer)
            assert await reader.readline() == b""
            closed.set()

        async with server(behave) as port:
            settings = Settings(delivery_url=f"smtp://127.0.0.1:{port}")
            async with base.connect(settings) as channel:
                outcomes = [await channel.send(MESSAGE) for _ in range(2)]
                await closed.wait()

        assert {outcome.kind for outcome in outcomes} == {OutcomeClass.DELIVERED}

    async def test_on_an_idle_connection_that_was_closed_costs_nothing(self) -> None:
        async with server(dialogue(OK, OK, OK, GO_AHEAD, OK)) as port:
            settings = Settings(delivery_url=f"smtp://127.0.0.1:{port}")
            async with base.connect(settings) as channel:
                outcomes = [await channel.send(MESSAGE) for _ in range(3)]

        assert {outcome.kind for outcome in outcomes} == {OutcomeClass.DELIVERED}

    async def test_is_not_what_a_cancellation_is(self) -> None:
        reached, closed = asyncio.Event(), asyncio.Event()

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await dialogue(OK)(reader, writer)
            reached.set()
            await reader.read()
            closed.set()

        async with server(behave) as port:
            settings = Settings(delivery_url=f"smtp://127.0.0.1:{port}")
            async with base.connect(settings) as channel:
                sending = asyncio.create_task(channel.send(MESSAGE))
                await reached.wait()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                await closed.wait()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = shutil.which("openssl")
    if not program:
        pytest.fail("OpenSSL is not installed: install its command-line program, openssl")
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(file), "-out", str(file)]
    subprocess.run([program, *request.split(), *names, *files], check=True, capture_output=True)
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # One file holds both; the key may stand first.
    context.load_cert_chain(certificate)
    return context


class TestEncryption:
    async def test_is_taken_when_it_is_offered_with_any_certificate(
        self, tls: ssl.SSLContext
    ) -> None:
        async with mailbox(tls=tls, enable_SMTPUTF8=True) as box:
            await send(f"smtp://127.0.0.1:{box.port}")
            await send(f"smtp://127.0.0.1:{box.port}", MESSAGE._replace(email="jörg@example.org"))

        assert [mail.encrypted for mail in box.mails] == [True, True]

    async def test_that_is_required_needs_a_certificate_that_is_trusted(
        self, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with mailbox(tls=tls) as box:
            url = f"smtp://127.0.0.1:{box.port}?starttls=required"
            unknown = await send(url)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            trusted = await send(url)

        assert unknown.kind is OutcomeClass.TRANSIENT
        assert unknown.error is not None
        assert "certificate verify failed" in unknown.error
        assert trusted.kind is OutcomeClass.DELIVERED
        assert [mail.encrypted for mail in box.mails] == [True]

    async def test_that_is_required_but_not_offered_stops_the_mail(self) -> None:
        async with mailbox() as box:
            outcome = await send(f"smtp://127.0.0.1:{box.port}?starttls=required")

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert box.mails == []

    async def test_from_the_start_needs_a_certificate_that_is_trusted(
        self, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with mailbox(tls=tls, implicit_tls=True) as box:
            unknown = await send(f"smtps://127.0.0.1:{box.port}")
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            trusted = await send(f"smtps://localhost:{box.port}")

        assert unknown.kind is OutcomeClass.TRANSIENT
        assert trusted.kind is OutcomeClass.DELIVERED
        assert len(box.mails) == 1

    @pytest.mark.parametrize(
        "address", ["smtps://127.0.0.1:{}", "smtp://127.0.0.1:{}?starttls=required"]
    )
    async def test_may_want_our_certificate(self, address: str, authority: Authority) -> None:
        server, ours = authority.server("127.0.0.1"), authority.client("birthdays")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
        context.load_cert_chain(server.chain, server.key)
        context.verify_mode = ssl.CERT_REQUIRED
        settings: dict[str, Any] = {"delivery_ca": str(authority.ca)}
        async with mailbox(tls=context, implicit_tls=address.startswith("smtps")) as box:
            url = address.format(box.port)
            unknown = await send(url, **settings)
            settings |= {"delivery_cert": str(ours.chain), "delivery_key": ours.key.read_text()}
            known = await send(url, **settings)

        assert unknown.kind is OutcomeClass.TRANSIENT
        assert known.kind is OutcomeClass.DELIVERED
        assert len(box.mails) == 1

    async def test_with_an_expired_certificate_says_so(self, authority: Authority) -> None:
        server = authority.server("127.0.0.1", expired=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(server.chain, server.key)
        async with mailbox(tls=context, implicit_tls=True) as box:
            outcome = await send(f"smtps://127.0.0.1:{box.port}", delivery_ca=str(authority.ca))

        assert outcome.kind is OutcomeClass.TRANSIENT
        assert outcome.error is not None
        assert "certificate has expired" in outcome.error


class TestLogin:
    async def test_uses_the_name_and_password_of_the_url(self, tls: ssl.SSLContext) -> None:
        async with mailbox(tls=tls, auth_required=True) as box:
            outcome = await send(f"smtp://bj%C3%B6rn:p%40ss%3Aword@127.0.0.1:{box.port}")

        assert outcome.kind is OutcomeClass.DELIVERED
        assert box.mails[0].user == "björn"

    async def test_that_is_refused_is_permanent(self, tls: ssl.SSLContext) -> None:
        async with mailbox(tls=tls, auth_required=True) as box:
            outcome = await send(f"smtp://bj%C3%B6rn:geheim@127.0.0.1:{box.port}")

        assert outcome.kind is OutcomeClass.PERMANENT
        assert outcome.code == 535
        assert outcome.error is not None
        assert "geheim" not in outcome.error
        assert box.mails == []
