"""Messages as e-mail, over SMTP connections that are kept and used again.

Importing this module without the extra `smtp` raises UsageError.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import parse_qsl, unquote, urlsplit

from birthday_cli.channels import tls
from birthday_cli.channels.base import Channel
from birthday_cli.channels.text import one_line, recorded
from birthday_cli.config import Settings
from birthday_cli.domain import message_types
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import UsageError

try:
    import aiosmtplib
except ImportError as problem:
    raise UsageError(
        "DELIVERY_URL asks for SMTP: install it with pip install 'bdaysched[smtp]'"
    ) from problem

# Text is encoded for transport, so that it passes through any server.
_POLICY = policy.SMTP.clone(cte_type="7bit")


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Channel]:
    """Yield a channel that mails through the server that DELIVERY_URL names.

    `smtps://[user:password@]host[:465]` is TLS from the start. `smtp://…[:25]` takes STARTTLS when
    the server offers it, and then any certificate: a server that is not verified may as well not
    offer it (RFC 7435). `smtp://…[:587]?starttls=required` refuses anything but a verified
    server. DELIVERY_CA, DELIVERY_CERT and DELIVERY_KEY serve as for webhooks. Raises UsageError for
    a URL, DELIVERY_FROM, certificate or key that cannot be.
    """
    # Once, because it may ask a name server: the client would for every connection.
    own_name = await asyncio.to_thread(socket.getfqdn)
    new_client = _clients(settings, own_name)
    channel = Mail(new_client, _sender(settings.delivery_from), settings)
    try:
        yield channel
    finally:
        await channel.close()


class Mail:
    """Mails each message to its user's address, over at most worker_concurrency connections."""

    def __init__(
        self, new_client: Callable[[], aiosmtplib.SMTP], sender: Address, settings: Settings
    ) -> None:
        self._new_client = new_client
        self._sender = sender
        self._subjects = {
            kind.name: kind.subject for kind in message_types.load(settings.message_types)
        }
        self._timeout = settings.delivery_timeout
        self._body_limit = settings.response_body_limit
        self._places = asyncio.Semaphore(settings.worker_concurrency)
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message: Message) -> Outcome:
        """Mail message once, within delivery_timeout seconds from when a connection is free.

        The server's reply decides (RFC 5321, 4.2.1): 2yz delivered, 4yz transient, 5yz permanent,
        to whichever command it was. Without a reply, a failure before DATA is transient, and one
        from DATA on is ambiguous. An address that cannot be mailed to is permanent.
        """
        try:
            recipient = _address(message.email)
            content = self._composed(message, recipient)
        except (ValueError, MessageError) as problem:
            return Outcome(OutcomeClass.PERMANENT, error=one_line(f"cannot be mailed: {problem}"))
        async with self._places:
            return await self._attempt(recipient.addr_spec, content)

    async def close(self) -> None:
        """Take leave of the server on every idle connection."""
        await asyncio.gather(*map(self._leave, self._idle))
        self._idle.clear()

    async def _leave(self, client: aiosmtplib.SMTP) -> None:
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=self._timeout)
        client.close()

    async def _attempt(self, recipient: str, content: bytes) -> Outcome:
        data_begun = False
        try:
            async with asyncio.timeout(self._timeout), self._connection() as client:
                options = []
                if not recipient.isascii():
                    # Under TLS the client asks only with its first command what is offered there.
                    await client.rset()
                    if not client.supports_extension("smtputf8"):
                        return Outcome(
                            OutcomeClass.PERMANENT,
                            error="cannot be mailed: the server takes no address beyond ASCII",
                        )
                    options = ["SMTPUTF8"]
                await client.mail(self._sender.addr_spec, options=options)
                await client.rcpt(recipient, encoding="utf-8")
                data_begun = True
                reply = await client.data(content)
                return Outcome(OutcomeClass.DELIVERED, reply.code, self._recorded(reply.message))
        except aiosmtplib.SMTPResponseException as problem:
            if problem.code == aiosmtplib.SMTPStatus.invalid_response:
                return Outcome(_kind(None, data_begun), error=one_line(problem.message))
            said = self._recorded(problem.message)
            error = one_line(f"answered {problem.code} {said}")
            return Outcome(_kind(problem.code, data_begun), problem.code, said, error)
        except TimeoutError:
            return Outcome(_kind(None, data_begun), error=f"no answer within {self._timeout:g} s")
        # Whatever else is raised is a failed attempt: TLS, name look-up, an unexpected reply.
        except Exception as problem:
            text = str(problem) or type(problem).__name__
            return Outcome(_kind(None, data_begun), error=one_line(text))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = await self._usable_client()
        try:
            yield client
        except BaseException as problem:
            # A refusal leaves the dialogue in step; after anything else a late answer might be
            # taken for that to the next command.
            if isinstance(problem, aiosmtplib.SMTPResponseException) and problem.code >= 400:
                self._idle.append(client)
            else:
                client.close()
            raise
        self._idle.append(client)

    async def _usable_client(self) -> aiosmtplib.SMTP:
        while self._idle:
            client = self._idle.pop()
            if await _is_alive(client):
                return client
        client = self._new_client()
        await client.connect()
        return client

    def _composed(self, message: Message, recipient: Address) -> bytes:
        mail = EmailMessage(policy=_POLICY.clone(utf8=not recipient.addr_spec.isascii()))
        mail["From"] = self._sender
        mail["To"] = recipient
        mail["Subject"] = self._subjects.get(message.message_type, message.message_type)
        mail["Date"] = datetime.now(UTC)
        mail["Message-ID"] = f"<{message.id}@{self._sender.domain}>"
        mail["X-Idempotency-Key"] = message.idempotency_key
        # Keeps holiday notices from being sent back (RFC 3834, 5).
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.content)
        return mail.as_bytes()

    def _recorded(self, said: str) -> str:
        return recorded(said.encode("utf-8", "surrogateescape"), self._body_limit)


async def _is_alive(client: aiosmtplib.SMTP) -> bool:
    alive = False
    try:
        # RSET also forgets a recipient that was refused.
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.rset()
            alive = True
    finally:
        if not alive:
            client.close()
    return alive


def _kind(code: int | None, data_begun: bool) -> OutcomeClass:
    if code is not None and 400 <= code < 500:
        return OutcomeClass.TRANSIENT
    if code is not None and 500 <= code < 600:
        return OutcomeClass.PERMANENT
    return OutcomeClass.AMBIGUOUS if data_begun else OutcomeClass.TRANSIENT


def _address(text: str) -> Address:
    try:
        if text.isascii():
            address = Address(addr_spec=text)
        else:
            local, _, domain = text.rpartition("@")
            address = Address(username=local, domain=domain)
    except (ValueError, IndexError, MessageError):
        address = Address()
    # The parser leaves out what it does not understand; then the address is another one.
    if address.addr_spec != text or not text.isprintable():
        raise ValueError(f"{text!r} is not an e-mail address")
    return address


def _sender(text: str) -> Address:
    found: tuple[Address, ...] = ()
    with suppress(IndexError, MessageError):
        header = _POLICY.header_factory("From", text)
        found = () if header.defects else header.addresses
    if len(found) == 1 and found[0].addr_spec.isascii() and text.isprintable():
        return found[0]
    raise UsageError(
        f"DELIVERY_FROM={text!r} is not a sender: write it like birthdays@example.org or"
        " 'Birthdays <birthdays@example.org>'"
    )


def _clients(settings: Settings, own_name: str) -> Callable[[], aiosmtplib.SMTP]:
    try:
        url = urlsplit(settings.delivery_url)
        port = url.port
        query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    except ValueError:
        url, port, query = urlsplit(""), None, {}
    starttls = query.pop("starttls", None)
    if (
        not url.hostname
        or url.path.strip("/")
        or query
        or starttls not in (None, "required")
        or (starttls and url.scheme == "smtps")
    ):
        raise UsageError(
            "DELIVERY_URL is not the address of a mail server: write it like smtps://host,"
            " smtp://user:password@host:587?starttls=required or smtp://localhost"
        )
    context = tls.context(tls.load(settings))
    if url.scheme == "smtp" and not starttls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return lambda: aiosmtplib.SMTP(
        hostname=url.hostname,
        port=port,
        username=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        local_hostname=own_name,
        # One limit for the whole attempt; the client's own is for each command.
        timeout=None,
        use_tls=url.scheme == "smtps",
        start_tls=True if starttls else None if url.scheme == "smtp" else False,
        tls_context=context,
    )
