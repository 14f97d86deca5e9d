"""A mail server that keeps what it is sent, and replies as a test tells it to."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """One accepted mail. `connection` is the client's port."""

    sender: str
    recipients: list[str]
    raw: bytes
    connection: int
    encrypted: bool
    user: str | None

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)


class Mailbox:
    """Replies 250 to a command, unless `replies` has something else for it; each is used once.

    It knows the user `björn` with the password `p@ss:word`.
    """

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[Mail] = []
        self.replies: defaultdict[str, deque[str]] = defaultdict(deque)
        self.commands: list[str] = []

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds the hooks by these names
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        self.commands.append(" ".join(["MAIL", *options]))
        return self._reply("MAIL")

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        reply = self._reply("RCPT")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = self._reply("DATA")
        if reply.startswith("2"):
            assert envelope.mail_from
            assert isinstance(envelope.content, bytes)
            assert isinstance(session.peer, tuple)
            login = session.auth_data
            user = login.login.decode() if isinstance(login, LoginPassword) else None
            self.mails.append(
                Mail(
                    envelope.mail_from,
                    envelope.rcpt_tos,
                    envelope.content,
                    session.peer[1],
                    session.ssl is not None,
                    user,
                )
            )
        return reply

    async def handle_RSET(self, *_: object) -> str:  # noqa: N802
        self.commands.append("RSET")
        return self._reply("RSET")

    async def handle_QUIT(self, *_: object) -> str:  # noqa: N802
        self.commands.append("QUIT")
        return "221 Bye"

    def authenticate(self, *given: Any) -> AuthResult:
        login = given[-1]
        right = LoginPassword("björn".encode(), b"p@ss:word")
        return AuthResult(success=login == right, handled=False, auth_data=login)

    def _reply(self, command: str) -> str:
        replies = self.replies[command]
        return replies.popleft() if replies else "250 Noted"


@asynccontextmanager
async def mailbox(
    *, tls: ssl.SSLContext | None = None, implicit_tls: bool = False, **options: Any
) -> AsyncIterator[Mailbox]:
    """Yield a running Mailbox. It offers STARTTLS with tls, or is TLS from the start."""
    box = Mailbox()
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example",
            loop=loop,
            tls_context=None if implicit_tls else tls,
            authenticator=box.authenticate,
            **options,
        )

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit_tls else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
