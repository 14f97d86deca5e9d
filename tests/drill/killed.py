"""The program, killed with SIGKILL at a named point of a message's way.

    python -m tests.drill.killed --at confirm -- schedule

The points lie in what the rooms offer each other, and are wrapped from outside. That a request was
written, the receiver knows, and kills by itself (see tests.drill.receiver).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import Any

from birthday_cli.brokers import postgres, rabbitmq, tags
from birthday_cli.channels import webhook
from birthday_cli.cli.main import main as run
from birthday_cli.db import messages
from birthday_cli.pipeline import schedule

_passes = 0
_deadly = 1


def _pass() -> None:
    """Count one pass of the point; the last one kills."""
    global _passes
    _passes += 1
    if _passes == _deadly:
        os.kill(os.getpid(), signal.SIGKILL)


def _after(owner: Any, name: str) -> None:
    work = getattr(owner, name)

    @wraps(work)
    async def then(*args: Any, **kwargs: Any) -> Any:
        done = await work(*args, **kwargs)
        if done or done is None:
            _pass()
        return done

    setattr(owner, name, then)


def _before(owner: Any, name: str) -> None:
    work = getattr(owner, name)

    @wraps(work)
    def first(*args: Any, **kwargs: Any) -> Any:
        _pass()
        return work(*args, **kwargs)

    setattr(owner, name, first)


def _plan_commit() -> None:
    plan: Callable[..., Any] = vars(schedule)["plan"]

    @wraps(plan)
    def planned(*args: Any, **kwargs: Any) -> Any:
        done = plan(*args, **kwargs)
        _pass()
        return done

    vars(schedule)["plan"] = planned


def _publish() -> None:
    # The broker's first word on what was published: it is there, and we do not know it yet.
    _before(tags.Confirms, "settle")
    _after(postgres.PostgresBroker, "publish")


def _confirm() -> None:
    _after(rabbitmq.RabbitBroker, "publish")
    # Without a broker a message is in the queue when it is marked so.
    if "postgres:" in os.environ["BROKER_URL"]:
        _after(messages, "mark_queued")


def _response() -> None:
    connect: Callable[..., AbstractAsyncContextManager[Any]] = webhook.connect

    @asynccontextmanager
    async def connected(*args: Any) -> AsyncIterator[Any]:
        async with connect(*args) as channel:
            _after(channel, "send")
            yield channel

    vars(webhook)["connect"] = connected


def _acknowledge() -> None:
    _before(rabbitmq.RabbitBroker, "acknowledge")
    _before(postgres.PostgresBroker, "acknowledge")


POINTS: dict[str, Callable[[], None]] = {
    "plan commit": _plan_commit,
    "publish": _publish,
    "confirm": _confirm,
    "sending commit": lambda: _after(messages, "claim"),
    "response": _response,
    "sent commit": lambda: _after(messages, "record"),
    "acknowledge": _acknowledge,
}


def main() -> None:
    """Wrap the point that is named, then run the program with the rest of the arguments."""
    global _deadly
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at", choices=sorted(POINTS), required=True)
    parser.add_argument("--after", type=int, default=1, help="at which pass of the point")
    parser.add_argument("arguments", nargs="+")
    given = parser.parse_args()
    _deadly = given.after
    POINTS[given.at]()
    sys.argv = ["bdaysched", *given.arguments]
    run()


if __name__ == "__main__":
    main()
