"""Messages as webhooks: JSON by POST, signed as Standard Webhooks 1.0.0 says."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import pycurl

from birthday_cli.channels import tls
from birthday_cli.channels.base import Channel
from birthday_cli.channels.curl import Transfers
from birthday_cli.channels.post import Post
from birthday_cli.channels.text import recorded
from birthday_cli.channels.unanswered import found_dead, timed_out, unanswered
from birthday_cli.config import Settings
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import UsageError

_LONGEST_RETRY_AFTER = 86_400.0
_SECRET_PREFIX = "whsec_"  # noqa: S105 - it marks a secret, and is none
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_quoted = json.JSONEncoder().encode


class _Target(NamedTuple):
    url: str
    authority: str
    userinfo: str


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Channel]:
    """Yield a channel that posts to DELIVERY_URL, over at most worker_concurrency connections.

    A user name and password in the URL become basic authentication (RFC 7617). Proxies and
    `.netrc` of the environment are not used. Over https the server is verified, against
    DELIVERY_CA or the system's authorities. Raises UsageError for a URL, secret, certificate or key
    that cannot be.
    """
    target = _target(settings.delivery_url)
    key = _key(settings.delivery_secret)
    papers = tls.load(settings)
    posts = [Post(target.url, papers) for _ in range(settings.worker_concurrency)]
    transfers = Transfers(settings.delivery_timeout, settings.worker_concurrency)
    try:
        yield Webhook(transfers, posts, target, papers, key, settings)
    finally:
        transfers.close()


class Webhook:
    """Posts each message to one address."""

    def __init__(
        self,
        transfers: Transfers,
        posts: list[Post],
        target: _Target,
        papers: tls.Papers,
        key: bytes,
        settings: Settings,
    ) -> None:
        self._transfers = transfers
        self._idle = posts
        self._places = asyncio.Semaphore(len(posts))
        self._authority = target.authority
        self._has_certificate = bool(papers.certificate)
        self._key = key
        self._timeout = settings.delivery_timeout
        self._body_limit = settings.response_body_limit
        # libcurl would wait for a 100 before it sends a long body.
        self._headers = ["Content-Type: application/json", "Expect:"]
        if target.userinfo:
            credentials = base64.b64encode(target.userinfo.encode()).decode()
            self._headers.append(f"Authorization: Basic {credentials}")

    async def send(self, message: Message) -> Outcome:
        """Post message once, within delivery_timeout seconds from when a connection is free.

        The status decides (RFC 9110, 15): 2xx delivered; 408, 425, 429 and 5xx transient; any
        other permanent, a redirect too, for it is not followed. A failure before the request was
        written is transient, and so is a certificate that one side does not accept. Any other
        after that, without an answer, is ambiguous.
        """
        key = message.idempotency_key
        if not (key.isascii() and key.isprintable() and key.strip()):
            return Outcome(
                OutcomeClass.PERMANENT, error="the idempotency key cannot be an HTTP header"
            )
        body = _content(message)
        headers = [*self._headers, f"Idempotency-Key: {key}", *self._signature(message, body)]
        async with self._places:
            post = self._idle.pop()
            try:
                return await self._attempt(post, headers, body)
            finally:
                self._idle.append(post)

    async def _attempt(self, post: Post, headers: list[str], body: bytes) -> Outcome:
        while True:
            problem = pycurl.error(pycurl.E_GOT_NOTHING, "")
            post.prepare(headers, body)
            try:
                await self._transfers.perform(post.curl)
            except TimeoutError:
                if not post.status:
                    return timed_out(post.curl, self._authority, self._timeout)
            except pycurl.error as raised:
                problem = raised
            # The status decides, whatever became of the rest.
            if status := post.status:
                return _outcome(status, post, self._body_limit)
            if not found_dead(problem, post.curl):
                return unanswered(problem, post.curl, self._authority, self._has_certificate)

    def _signature(self, message: Message, body: bytes) -> list[str]:
        if not self._key:
            return []
        identity, timestamp = str(message.id), str(int(time.time()))
        signed = b".".join((identity.encode(), timestamp.encode(), body))
        digest = hmac.digest(self._key, signed, hashlib.sha256)
        return [
            f"webhook-id: {identity}",
            f"webhook-timestamp: {timestamp}",
            f"webhook-signature: v1,{base64.b64encode(digest).decode()}",
        ]


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds from now that a Retry-After header asks for, at most a day.

    It holds seconds or an HTTP date (RFC 9110, 10.2.3). None if it is missing, is neither, or is a
    date that has passed.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # asctime, the oldest of the three forms, names no zone; all three mean UTC.
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    pause = (instant - now).total_seconds()
    return min(pause, _LONGEST_RETRY_AFTER) if pause > 0 else None


def _content(message: Message) -> bytes:
    instant = message.scheduled_send_time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    # Put together by hand, since it is the same for each message but for these few values.
    return (
        f'{{"type":{_quoted(message.message_type.lower() + ".message")},"timestamp":"{instant}",'
        f'"data":{{"idempotency_key":{_quoted(message.idempotency_key)},'
        f'"user_id":"{message.user_id}",'
        f'"email":{_quoted(message.email)},'
        f'"message_type":{_quoted(message.message_type)},'
        f'"delivery_date":"{message.delivery_date.isoformat()}",'
        f'"message":{_quoted(message.content)}}}}}'
    ).encode()


def _outcome(status: int, post: Post, limit: int) -> Outcome:
    body = recorded(post.body, limit)
    if 200 <= status < 300:
        return Outcome(OutcomeClass.DELIVERED, status, body)
    error = f"answered {status} {_phrase(status)}".strip()
    if status in _TRANSIENT or status >= 500:
        pause = retry_after(_header(post.head, b"retry-after"), datetime.now(UTC))
        return Outcome(OutcomeClass.TRANSIENT, status, body, error, pause)
    if 300 <= status < 400:
        error += ": redirects are not followed, set DELIVERY_URL to the address itself"
    return Outcome(OutcomeClass.PERMANENT, status, body, error)


def _header(head: list[bytes], wanted: bytes) -> str | None:
    for line in head:
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.decode("latin-1")
    return None


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""


def _target(text: str) -> _Target:
    try:
        url = urlsplit(text)
        host = (url.hostname or "").encode("idna").decode()
        port = url.port or {"http": 80, "https": 443}[url.scheme]
    except (ValueError, KeyError):
        url, host, port = urlsplit(""), "", 0
    if not host or not text.isprintable() or any(map(str.isspace, text)):
        raise UsageError(
            "DELIVERY_URL is not the address of a webhook: write it like https://host/path"
        )
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    userinfo = ""
    if url.username or url.password:
        userinfo = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    # libcurl takes ASCII only, and what is encoded already stays as it is.
    address = quote(url._replace(netloc=authority, fragment="").geturl(), safe=string.printable)
    return _Target(address, authority, userinfo)


def _key(secret: str) -> bytes:
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise UsageError(
            "DELIVERY_SECRET starts with whsec_, but what follows is not base64: copy it again,"
            " or leave the prefix out to use the text itself"
        )
    return key
