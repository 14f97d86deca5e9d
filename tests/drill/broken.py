"""The program with something that protects it taken out: the judge must see that.

    python -m tests.drill.broken --without confirms -- schedule --every 1s

`confirms`: what was published counts as queued, before the broker says so.
`acknowledgements`: a reference is acknowledged when it arrives, before anything is recorded.
`leases`: what a dead worker had in hand is not taken back.
`tokens`: whoever had a row in hand once may record it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from birthday_cli.brokers.base import Delivery
from birthday_cli.brokers.rabbitmq import RabbitBroker
from birthday_cli.cli.main import main as run
from birthday_cli.db import messages
from birthday_cli.domain.message import Reference


def without_confirms(stop: int) -> None:
    """Let publish return at once, having published into a broker that has just stopped."""
    publish = RabbitBroker.publish

    async def published(self: RabbitBroker, references: Sequence[Reference]) -> list[Reference]:
        if stop:
            os.kill(stop, signal.SIGSTOP)
        task = asyncio.create_task(publish(self, references))
        await asyncio.wait([task], timeout=0.3)
        task.cancel()
        return list(references)

    _replace(RabbitBroker, "publish", published)


def without_acknowledgements(_: int) -> None:
    """Acknowledge what arrives."""
    receive = RabbitBroker.receive

    async def received(self: RabbitBroker, limit: int, wait: float) -> list[Delivery]:
        deliveries = await receive(self, limit, wait)
        await self.acknowledge(deliveries)
        return deliveries

    _replace(RabbitBroker, "receive", received)


def without_leases(_: int) -> None:
    """Take nothing back."""

    async def taken_back(*_: object) -> list[Any]:
        return []

    _replace(messages, "take_back_expired_leases", taken_back)


WAYS: dict[str, Callable[[int], None]] = {
    "confirms": without_confirms,
    "acknowledgements": without_acknowledgements,
    "leases": without_leases,
}


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


def main() -> None:
    """Take out what is named, then run the program with the rest of the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--without", choices=sorted(WAYS), required=True)
    parser.add_argument("arguments", nargs="+")
    given = parser.parse_args()
    WAYS[given.without](0)
    sys.argv = ["bdaysched", *given.arguments]
    run()


if __name__ == "__main__":
    main()
