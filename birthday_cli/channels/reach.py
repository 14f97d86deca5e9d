"""Whether the delivery service can be reached; no message is sent, nor anything else said."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from birthday_cli.channels import tls
from birthday_cli.channels.base import connect
from birthday_cli.config import Settings
from birthday_cli.errors import BdayschedError

_PORTS = {"http": 80, "https": 443, "smtp": 25, "smtps": 465}
_LONGEST = 5.0


async def reach(settings: Settings) -> str:
    """Connect to what DELIVERY_URL names, and hang up; return where that is, and how.

    With https and smtps this includes the TLS handshake, with the certificates of either side. Of
    `smtp` the mail server is only connected to: STARTTLS comes later. Raises UsageError for what
    `connect` refuses, and BdayschedError, within 5 s or DELIVERY_TIMEOUT, if nobody answers.
    """
    async with connect(settings):
        pass
    url = urlsplit(settings.delivery_url)
    if url.scheme not in _PORTS:
        return "messages are printed, and go nowhere else"
    host, port = url.hostname or "", url.port or _PORTS[url.scheme]
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    context = tls.context(tls.load(settings)) if url.scheme in ("https", "smtps") else None
    patience = min(_LONGEST, settings.delivery_timeout)
    try:
        async with asyncio.timeout(patience):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError as problem:
        raise BdayschedError(f"{where}: no answer within {patience:g} s") from problem
    except ssl.SSLCertVerificationError as problem:
        said = problem.verify_message.removesuffix(".")
        raise BdayschedError(f"{where}: its certificate is refused: {said}") from problem
    except OSError as problem:  # as an ssl.SSLError is
        said = getattr(problem, "reason", None) or _reason(problem)
        raise BdayschedError(f"{where}: {said}") from problem
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience):
            await writer.wait_closed()
    return f"{where} answers, with TLS" if context else f"{where} answers"


def _reason(problem: OSError) -> str:
    # asyncio puts the address into the text. That a name is not found is no error of the system's.
    number = problem.errno or 0
    return os.strerror(number) if number > 0 else problem.strerror or str(problem)
