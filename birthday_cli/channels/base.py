"""The seam that every channel fits: one message in, one outcome out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from birthday_cli.config import Settings
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome
from birthday_cli.errors import UsageError, redact


class Channel(Protocol):
    """A way to deliver. `send` may be called many times at once."""

    async def send(self, message: Message) -> Outcome:
        """Deliver message once. Whatever goes wrong is an Outcome; nothing is raised."""


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Channel]:
    """Yield the channel that DELIVERY_URL names; UsageError if there is none for its scheme."""
    scheme = settings.delivery_url.partition(":")[0]
    if scheme in ("http", "https"):
        from birthday_cli.channels import webhook

        async with webhook.connect(settings) as hook:
            yield hook
    elif scheme in ("smtp", "smtps"):
        from birthday_cli.channels import smtp

        async with smtp.connect(settings) as mail:
            yield mail
    elif scheme == "console":
        from birthday_cli.channels.console import Console

        yield Console()
    else:
        given = f"DELIVERY_URL={redact(settings.delivery_url)!r} is not one:" if scheme else ""
        raise UsageError(
            f"{given or 'DELIVERY_URL is not set:'} set it to https://…, smtp://… or console:"
        )
