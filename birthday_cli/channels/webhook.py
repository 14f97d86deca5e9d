"""Messages as webhooks: JSON by POST, signed as Standard Webhooks 1.0.0 says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from birthday_cli import __version__
from birthday_cli.channels.base import Channel
from birthday_cli.channels.text import one_line, recorded
from birthday_cli.config import Settings
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome, OutcomeClass
from birthday_cli.errors import UsageError

_MOST_READ = 65_536
_LONGEST_RETRY_AFTER = 86_400.0
_SECRET_PREFIX = "whsec_"  # noqa: S105 - it marks a secret, and is none
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_NAMES_A_PAUSE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Channel]:
    """Yield a channel that posts to DELIVERY_URL, over at most worker_concurrency connections.

    A user name and password in the URL become basic authentication (RFC 7617). Proxies and
    `.netrc` of the environment are not used. Raises UsageError for a URL or secret that cannot be.
    """
    url = _url(settings.delivery_url)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"bdaysched/{__version__}",
    }
    if url.user or url.password:
        userinfo = f"{url.user or ''}:{url.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(userinfo).decode()}"
    key = _key(settings.delivery_secret)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=settings.worker_concurrency),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=settings.delivery_timeout),
        trust_env=False,
    ) as session:
        yield Webhook(session, url.with_user(None), key, settings)


class Webhook:
    """Posts each message to one address."""

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, key: bytes, settings: Settings
    ) -> None:
        self._session = session
        self._url = url
        self._key = key
        self._timeout = settings.delivery_timeout
        self._body_limit = settings.response_body_limit

    async def send(self, message: Message) -> Outcome:
        """Post message once, within delivery_timeout seconds.

        The status decides (RFC 9110, 15): 2xx delivered; 408, 425, 429 and 5xx transient; any
        other permanent, a redirect too, for it is not followed. A failure before the request was
        written is transient. One after that, without an answer, is ambiguous.
        """
        if not (message.idempotency_key.isascii() and message.idempotency_key.isprintable()):
            return Outcome(
                OutcomeClass.PERMANENT, error="the idempotency key cannot be an HTTP header"
            )
        content = _content(message)
        body = _Body(content, content_type="application/json")
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers(message, content),
                allow_redirects=False,
            ) as response:
                return _outcome(response, await _start_of(response.content), self._body_limit)
        # Whatever the client raises is a failed attempt, and how it failed is told by how far it
        # came: the same classes are raised before and after the request is written.
        except Exception as problem:
            kind = OutcomeClass.AMBIGUOUS if body.written else OutcomeClass.TRANSIENT
            return Outcome(kind, error=one_line(self._explained(problem, body.written)))

    def _headers(self, message: Message, content: bytes) -> dict[str, str]:
        headers = {"Idempotency-Key": message.idempotency_key}
        if self._key:
            identity, timestamp = str(message.id), str(int(time.time()))
            signed = b".".join((identity.encode(), timestamp.encode(), content))
            digest = hmac.digest(self._key, signed, hashlib.sha256)
            headers["webhook-id"] = identity
            headers["webhook-timestamp"] = timestamp
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers

    def _explained(self, problem: Exception, written: bool) -> str:
        # Not str(problem): several of aiohttp's errors hold the URL, whose query may be secret.
        missing = "answer" if written else "connection"
        match problem:
            case aiohttp.ClientConnectorError():
                return f"cannot connect to {problem.host}:{problem.port}: {problem.os_error}"
            case TimeoutError():
                return f"no {missing} from {self._url.authority} within {self._timeout:g} s"
            case aiohttp.ServerDisconnectedError():
                return f"{self._url.authority} closed the connection without an answer"
            case aiohttp.ClientResponseError():
                return f"{self._url.authority} did not answer in HTTP: {problem.message}"
            case OSError(errno=int(number)):
                return f"no {missing} from {self._url.authority}: {os.strerror(number)}"
        return f"no {missing} from {self._url.authority}: {type(problem).__name__}"


class _Body(aiohttp.BytesPayload):
    """A request body that knows whether it was written, even in part.

    The headers leave together with it. A trace would tell the same, and slow every request.
    """

    written = False

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        self.written = True
        await super().write_with_length(writer, content_length)


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
    event = {
        "type": f"{message.message_type.lower()}.message",
        "timestamp": instant,
        "data": {
            "idempotency_key": message.idempotency_key,
            "user_id": str(message.user_id),
            "email": message.email,
            "message_type": message.message_type,
            "delivery_date": message.delivery_date.isoformat(),
            "message": message.content,
        },
    }
    return json.dumps(event, separators=(",", ":")).encode()


async def _start_of(content: aiohttp.StreamReader) -> bytes:
    # More than is recorded: an answer that is read to its end leaves the connection fit for use.
    body = bytearray()
    # The status has come, and decides, whatever becomes of the rest.
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        while chunk := await content.read(_MOST_READ - len(body)):
            body += chunk
    return bytes(body)


def _outcome(response: aiohttp.ClientResponse, raw: bytes, limit: int) -> Outcome:
    status, body = response.status, recorded(raw, limit)
    if 200 <= status < 300:
        return Outcome(OutcomeClass.DELIVERED, status, body)
    error = f"answered {status} {_phrase(status)}".strip()
    if status in _TRANSIENT or status >= 500:
        header = response.headers.get("Retry-After") if status in _NAMES_A_PAUSE else None
        pause = retry_after(header, datetime.now(UTC))
        return Outcome(OutcomeClass.TRANSIENT, status, body, error, pause)
    if 300 <= status < 400:
        error += ": redirects are not followed, set DELIVERY_URL to the address itself"
    return Outcome(OutcomeClass.PERMANENT, status, body, error)


def _phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return ""


def _url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    # yarl drops a line break, and takes a blank for a part of the host's name.
    if url.scheme not in ("http", "https") or not url.host or any(map(str.isspace, text)):
        raise UsageError(
            "DELIVERY_URL is not the address of a webhook: write it like https://host/path"
        )
    return url


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
