"""The program with something that protects it taken out: the judge must see that.

    python -m tests.drill.broken --without confirms -- schedule

`confirms`: what was published counts as queued, before the broker says so.
`acknowledgements`: a reference counts as acknowledged when it is delivered, before anything is
recorded.
`leases`: what a dead worker had in hand is not taken back.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from pika.channel import Channel

from birthday_cli.brokers.rabbitmq import RabbitBroker
from birthday_cli.cli.main import main as run
from birthday_cli.db import messages
from birthday_cli.domain.message import Reference


def _publish_into(stopped: int, waits: bool) -> None:
    """Stop a process, the broker, right before a batch is published; wait for confirms or not."""
    publish = RabbitBroker.publish

    @wraps(publish)
    async def published(self: RabbitBroker, references: Sequence[Reference]) -> list[Reference]:
        if stopped:
            os.kill(stopped, signal.SIGSTOP)
        if waits:
            return await publish(self, references)
        task = asyncio.create_task(publish(self, references))
        await asyncio.wait([task], timeout=0.2)
        task.cancel()
        return list(references)

    _replace(RabbitBroker, "publish", published)


def _acknowledge_what_is_delivered() -> None:
    consume = Channel.basic_consume

    @wraps(consume)
    def consumed(*args: Any, **kwargs: Any) -> Any:
        kwargs["auto_ack"] = True
        return consume(*args, **kwargs)

    _replace(Channel, "basic_consume", consumed)
    for name in "basic_ack", "basic_nack", "basic_reject":
        _replace(Channel, name, lambda *_, **__: None)


def _take_nothing_back() -> None:
    async def taken_back(*_: object) -> list[Any]:
        return []

    _replace(messages, "take_back_expired_leases", taken_back)


def _replace(owner: Any, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)


def main() -> None:
    """Take out what is named, then run the program with the rest of the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--without", choices=("confirms", "acknowledgements", "leases"))
    parser.add_argument("--stop", type=int, default=0, help="a process to stop before publishing")
    parser.add_argument("arguments", nargs="+")
    given = parser.parse_args()
    if given.stop or given.without == "confirms":
        _publish_into(given.stop, waits=given.without != "confirms")
    if given.without == "acknowledgements":
        _acknowledge_what_is_delivered()
    if given.without == "leases":
        _take_nothing_back()
    sys.argv = ["bdaysched", *given.arguments]
    run()


if __name__ == "__main__":
    main()
