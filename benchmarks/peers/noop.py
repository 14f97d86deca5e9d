"""`bdaysched` with a channel that does nothing: the ceiling of the pipeline around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from birthday_cli.channels import webhook
from birthday_cli.cli.main import main
from birthday_cli.config import Settings
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome, OutcomeClass

# What is recorded is what the receiver would have answered.
_DELIVERED = Outcome(OutcomeClass.DELIVERED, 200, '{"accepted":true}')


class Nothing:
    """Delivers at once, and nothing."""

    async def send(self, message: Message) -> Outcome:  # noqa: ARG002
        """Say that message was delivered."""
        return _DELIVERED


@asynccontextmanager
async def _connect(settings: Settings) -> AsyncIterator[Nothing]:  # noqa: ARG001
    yield Nothing()


if __name__ == "__main__":
    webhook.connect = _connect
    main()
