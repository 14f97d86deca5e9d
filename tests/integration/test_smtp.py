from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta

import pytest

from birthday_cli import channels
from birthday_cli.channels import base
from birthday_cli.config import Settings
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import UsageError
from tests.example import MESSAGE, send
from tests.servers.mailbox import mailbox


class TestMail:
    async def test_has_what_a_mail_needs(self) -> None:
        sender = "Gratulationen für alle <birthdays@example.org>"
        async with mailbox() as box:
            outcome = await send(f"smtp://127.0.0.1:{box.port}", delivery_from=sender)

        (mail,) = box.mails
        headers = mail.parsed
        assert outcome == Outcome(OutcomeClass.DELIVERED, 250, "Noted")
        assert (mail.sender, mail.recipients) == ("birthdays@example.org", ["siti@example.org"])
        assert headers["From"] == sender
        assert headers["To"] == "siti@example.org"
        assert headers["Subject"] == "Happy birthday!"
        assert headers["Message-ID"] == f"<{MESSAGE.id}@example.org>"
        assert headers["Auto-Submitted"] == "auto-generated"
        assert headers.get_content_type() == "text/plain"
        assert headers.get_content() == "Happy birthday, Siti Rahayu!\r\n"
        age = datetime.now(UTC) - headers["Date"].datetime
        assert timedelta(seconds=-1) <= age < timedelta(hours=1)

    async def test_for_an_anniversary_says_so_and_has_its_key_on_one_line(self) -> None:
        key = f"{MESSAGE.user_id}:ANNIVERSARY:2026-03-01"
        message = MESSAGE._replace(message_type="ANNIVERSARY", idempotency_key=key)
        async with mailbox() as box:
            await send(f"smtp://127.0.0.1:{box.port}", message)

        assert box.mails[0].parsed["Subject"] == "Happy anniversary!"
        assert f"\r\nX-Idempotency-Key: {key}\r\n".encode() in box.mails[0].raw

    async def test_is_recognisable_when_it_is_repeated(self) -> None:
        async with mailbox() as box:
            for attempt in range(2):
                message = MESSAGE._replace(retry_count=attempt)
                await send(f"smtp://127.0.0.1:{box.port}", message)

        first, second = (mail.parsed for mail in box.mails)
        assert first["Message-ID"] == second["Message-ID"]
        assert first["X-Idempotency-Key"] == second["X-Idempotency-Key"]

    @pytest.mark.parametrize(
        "content",
        [
            "Zoë 佐藤 🎂",
            "one\n\n.\n.two\n..three",
            "end\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>",
            "From here on\nBcc: victim@example.org\n\nbody",
            "long " * 1000,
            "ü" * 5000,
            "tab\t, bell \x07, escape \x1b[2J",
            "",
        ],
    )
    async def test_holds_any_text(self, content: str) -> None:
        async with mailbox() as box:
            outcome = await send(f"smtp://127.0.0.1:{box.port}", MESSAGE._replace(content=content))

        (mail,) = box.mails
        text = mail.parsed.get_content()
        assert outcome.kind is OutcomeClass.DELIVERED
        assert mail.recipients == ["siti@example.org"]
        assert mail.parsed["Bcc"] is None
        assert mail.raw.isascii()
        assert text.replace("\r\n", "\n").removesuffix("\n") == content.replace("\r\n", "\n")

    @pytest.mark.parametrize(
        "email",
        [
            "a@example.org\nBcc: victim@example.org",
            "a@example.org\r\nRCPT TO:<victim@example.org>",
            "a@example.org, victim@example.org",
            "a@example.org> <victim@example.org",
            "a@example.org\x85b",
            "a(comment)@example.org",
            "Name <a@example.org>",
            "a b@example.org",
            "jörg a@example.org",
            "a@",
            "@example.org",
            "nobody",
            "",
        ],
    )
    async def test_to_what_is_no_address_is_permanent_and_not_sent(self, email: str) -> None:
        async with mailbox() as box:
            outcome = await send(f"smtp://127.0.0.1:{box.port}", MESSAGE._replace(email=email))

        assert outcome.kind is OutcomeClass.PERMANENT
        assert outcome.error is not None
        assert outcome.error.startswith("cannot be mailed: ")
        assert outcome.error.isprintable()
        assert box.commands == []

    async def test_with_a_forged_header_is_permanent_and_not_sent(self) -> None:
        message = MESSAGE._replace(idempotency_key="key\r\nBcc: victim@example.org")
        async with mailbox() as box:
            outcome = await send(f"smtp://127.0.0.1:{box.port}", message)

        assert outcome.kind is OutcomeClass.PERMANENT
        assert box.commands == []

    @pytest.mark.parametrize("email", ["jörg@example.org", "info@münchen.example"])
    async def test_to_an_international_address_needs_a_server_that_takes_it(
        self, email: str
    ) -> None:
        message = MESSAGE._replace(email=email)
        async with mailbox(enable_SMTPUTF8=True) as able, mailbox() as unable:
            taken = await send(f"smtp://127.0.0.1:{able.port}", message)
            not_taken = await send(f"smtp://127.0.0.1:{unable.port}", message)

        assert taken.kind is OutcomeClass.DELIVERED
        assert able.mails[0].recipients == [email]
        assert f"To: {email}".encode() in able.mails[0].raw
        assert not_taken.kind is OutcomeClass.PERMANENT
        assert not_taken.error == "cannot be mailed: the server takes no address beyond ASCII"
        assert unable.mails == []


class TestConnections:
    async def test_are_used_again_and_left_politely(self) -> None:
        async with mailbox() as box:
            url = f"smtp://127.0.0.1:{box.port}"
            async with base.connect(Settings(delivery_url=url)) as channel:
                for _ in range(3):
                    assert (await channel.send(MESSAGE)).kind is OutcomeClass.DELIVERED

        assert len({mail.connection for mail in box.mails}) == 1
        assert box.commands[-1] == "QUIT"

    async def test_are_as_many_as_are_needed_within_the_limit(self) -> None:
        async with mailbox() as box:
            settings = Settings(delivery_url=f"smtp://127.0.0.1:{box.port}", worker_concurrency=3)
            async with base.connect(settings) as channel:
                outcomes = await asyncio.gather(*(channel.send(MESSAGE) for _ in range(12)))

        assert {outcome.kind for outcome in outcomes} == {OutcomeClass.DELIVERED}
        assert len(box.mails) == 12
        assert len({mail.connection for mail in box.mails}) == 3
        assert box.commands.count("QUIT") == 3

    async def test_that_died_while_idle_are_replaced(self) -> None:
        async with mailbox() as box:
            url = f"smtp://127.0.0.1:{box.port}"
            async with base.connect(Settings(delivery_url=url)) as channel:
                first = await channel.send(MESSAGE)
                box.replies["RSET"].append("421 Idle for too long")
                second = await channel.send(MESSAGE)

        assert first.kind is second.kind is OutcomeClass.DELIVERED
        assert len({mail.connection for mail in box.mails}) == 2

    async def test_outlive_a_refusal(self) -> None:
        async with mailbox() as box:
            url = f"smtp://127.0.0.1:{box.port}"
            async with base.connect(Settings(delivery_url=url)) as channel:
                await channel.send(MESSAGE)
                box.replies["RCPT"].append("550 No such user")
                refused = await channel.send(MESSAGE)
                accepted = await channel.send(MESSAGE)

        assert refused.kind is OutcomeClass.PERMANENT
        assert accepted.kind is OutcomeClass.DELIVERED
        assert len({mail.connection for mail in box.mails}) == 1


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "smtp://",
            "smtp://:25",
            "smtp://host:port",
            "smtp://host:99999",
            "smtp://host/path",
            "smtp://host?starttls",
            "smtp://host?starttls=",
            "smtp://host?starttls=maybe",
            "smtp://user:geheim@host?tls=1",
            "smtps://host?starttls=required",
        ],
    )
    async def test_refuse_a_url_that_cannot_be(self, url: str) -> None:
        with pytest.raises(UsageError, match=r"^DELIVERY_URL .* write it like ") as raised:
            await send(url)
        assert "geheim" not in str(raised.value)

    @pytest.mark.parametrize(
        "sender",
        [
            "nobody",
            "a@",
            "a@b>",
            "a@b, c@d",
            "jörg@b",
            "a@münchen.de",
            "a@b\nBcc: c@d",
            "N\u2028 <a@b>",
        ],
    )
    async def test_refuse_a_sender_that_cannot_be(self, sender: str) -> None:
        with pytest.raises(UsageError, match=f"^DELIVERY_FROM={re.escape(repr(sender))} is not"):
            await send("smtp://127.0.0.1", delivery_from=sender)

    async def test_ask_for_the_extra_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "aiosmtplib", None)
        monkeypatch.delitem(sys.modules, "birthday_cli.channels.smtp", raising=False)
        monkeypatch.delattr(channels, "smtp", raising=False)

        with pytest.raises(UsageError, match=r"pip install 'bdaysched\[smtp\]'$"):
            await send("smtp://127.0.0.1")
