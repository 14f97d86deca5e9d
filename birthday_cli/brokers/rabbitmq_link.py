"""A connection to RabbitMQ with one channel, on pika and the running event loop.

pika answers through callbacks. Each of them leaves its news where it belongs and rings one bell;
whoever waits for something looks again when the bell rings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from pika import URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
)
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError

from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable, UsageError, redact

_LAST_WORD = 1.0  # seconds that a broker which has failed us gets to close the connection
_HEARTBEAT = 20  # seconds; RabbitMQ's documentation recommends 5 to 20

# What pika logs as errors, we raise. A handler that is added to this logger still gets everything.
logging.getLogger("pika").propagate = False


class _Connection(AsyncioConnection):
    def _on_connection_workflow_done(self, outcome: Any) -> None:
        # pika 1.4 reports a handshake that was given up by a class, and trips over it itself.
        outcome = outcome() if isinstance(outcome, type) else outcome
        super()._on_connection_workflow_done(outcome)  # type: ignore[misc]

    def _output_marshaled_frames(self, marshaled_frames: Any) -> None:
        # pika would call send(2) for each of a message's three frames.
        super()._output_marshaled_frames([b"".join(marshaled_frames)])  # type: ignore[misc]


class Link:
    """One connection and its channel. Once it has failed, every method raises BrokerUnreachable.

    `patience` is how long the broker may owe us an answer without a sign of life, in seconds.
    """

    channel: Channel

    def __init__(self, settings: Settings) -> None:
        self._url = redact(settings.broker_url).partition("?")[0]
        self._parameters = _parameters(settings, self._url)
        self.patience = settings.broker_connect_timeout
        self.failure: BaseException | None = None
        self._bell = asyncio.Event()
        self._closed = asyncio.Event()
        self._blocked = ""
        self._connection: AsyncioConnection

    async def open(self) -> None:
        """Connect, and open the channel. May wait for ever: the caller sets the time-out."""
        self._connection = _Connection(
            self._parameters,
            on_open_callback=lambda _: self.ring(),
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        await self.until(lambda: self._connection.is_open)
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
        opened: list[Channel] = []
        self.channel = self._connection.channel(on_open_callback=self._noting(opened))
        self.channel.add_on_close_callback(lambda _, why: self.fail(why))
        await self.until(lambda: bool(opened))

    async def close(self) -> None:
        """Close the connection; what was received and not settled goes back to the queue."""
        connection = self._connection
        patience = _LAST_WORD if self.failure else self.patience
        self.fail(RuntimeError("this connection was closed"))
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        try:
            async with asyncio.timeout(patience):
                await self._closed.wait()
        except TimeoutError:
            # It hangs, or has blocked us. pika has no public way to hang up.
            connection._adapter_disconnect_stream()  # type: ignore[attr-defined]
            await self._closed.wait()

    def ring(self) -> None:
        """Wake up whoever waits."""
        self._bell.set()

    def check(self) -> None:
        """Raise BrokerUnreachable if the connection has failed."""
        if self.failure:
            raise self.unreachable(_reason(self.failure)) from self.failure

    def fail(self, why: BaseException) -> None:
        """Give the connection up; the first reason is the one that is told."""
        self.failure = self.failure or why
        self.ring()

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait for condition. TimeoutError when nothing at all happens for seconds."""
        self.check()
        while not condition():
            self._bell.clear()
            async with asyncio.timeout(seconds):
                await self._bell.wait()
            self.check()

    async def answered(self, condition: Callable[[], bool]) -> None:
        """Wait for what the broker owes us, while it does anything at all."""
        try:
            await self.until(condition, self.patience)
        except TimeoutError as problem:
            why = self._blocked or f"no answer for {self.patience:g} s"
            self.fail(TimeoutError(why))
            raise self.unreachable(why) from problem

    async def call(self, method: Callable[..., object], *args: object, **options: object) -> Any:
        """Call a method of the channel and return the frame that answers it."""
        self.check()
        answers: list[Any] = []
        method(*args, **options, callback=self._noting(answers))
        await self.answered(lambda: bool(answers))
        return answers[0]

    def unreachable(self, why: str) -> BrokerUnreachable:
        """Return the error that says why the broker cannot be used, and what to check."""
        return BrokerUnreachable(
            f"cannot reach the broker at {self._url}: {why}. Check BROKER_URL (host, port, user,"
            " password, virtual host), and that the broker runs and accepts this host"
        )

    def _noting(self, answers: list[Any]) -> Callable[[Any], None]:
        def note(answer: object) -> None:
            answers.append(answer)
            self.ring()

        return note

    def _on_closed(self, _: AsyncioConnection, why: BaseException) -> None:
        self._closed.set()
        self.fail(why)

    def _on_blocked(self, _: object, frame: Any) -> None:
        self._blocked = f"it has blocked all publishers ({frame.method.reason})"

    def _on_unblocked(self, *_: object) -> None:
        self._blocked = ""


def _parameters(settings: Settings, shown: str) -> URLParameters:
    try:
        parameters = URLParameters(settings.broker_url)
    except (ValueError, TypeError, SyntaxError, OSError):
        # The reason is left out: it may quote a part of the password.
        raise UsageError(
            f"BROKER_URL={shown!r} cannot be read: write it like amqp://user:password@host:5672/"
            "vhost, with any of :/?#@% in the password as %XX, and options that pika knows"
        ) from None
    if parameters.heartbeat is None:
        parameters.heartbeat = _HEARTBEAT
    # There is one time-out, and it is ours.
    parameters.socket_timeout = parameters.stack_timeout = None
    parameters.client_properties = parameters.client_properties or {"connection_name": "bdaysched"}
    return parameters


def _reason(problem: BaseException) -> str:
    """Return the innermost of pika's nested errors in words."""
    while True:
        if isinstance(problem, AMQPConnectionWorkflowFailed):
            problem = problem.exceptions[-1]
        elif isinstance(problem, AMQPConnectorPhaseErrorBase):
            problem = problem.exception
        elif isinstance(problem, AMQPConnectionError) and isinstance(
            problem.args and problem.args[0], BaseException
        ):
            problem = problem.args[0]
        else:
            break
    return " ".join(": ".join(map(str, problem.args)).split()) or type(problem).__name__
