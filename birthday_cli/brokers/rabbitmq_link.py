"""A connection to RabbitMQ with one channel, on pika and the running event loop.

pika answers through callbacks. Each of them leaves its news where it belongs and rings one bell;
whoever waits for something looks again when the bell rings.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

from pika import URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorPhaseErrorBase,
)
from pika.channel import Channel
from pika.exceptions import AMQPConnectionError
from pika.spec import Basic, BasicProperties

from birthday_cli.brokers import rabbitmq_url
from birthday_cli.brokers.rabbitmq_frames import read_delivery
from birthday_cli.config import Settings
from birthday_cli.errors import BrokerUnreachable

_LAST_WORD = 1.0  # seconds that a broker which has failed us gets to close the connection

Take: TypeAlias = Callable[[int, bytes], bool]
"""Takes a delivery by its tag and body; or returns False, and pika's own callback gets it."""

_ALERT = re.compile(r"\balert (?P<why>(?:[a-z]+ )?certificate(?: [a-z]+)?|unknown ca)\b")

# What pika logs as errors, we raise. A handler that is added to this logger still gets everything.
logging.getLogger("pika").propagate = False


class _Connection(AsyncioConnection):
    take: Take

    def _on_connection_workflow_done(self, outcome: Any) -> None:
        # pika 1.4 reports a handshake that was given up by a class, and trips over it itself.
        outcome = outcome() if isinstance(outcome, type) else outcome
        super()._on_connection_workflow_done(outcome)  # type: ignore[misc]

    def _on_data_available(self, data_in: bytes) -> None:
        # pika would make objects of all frames, and copy what is left of the data for each of them.
        self._frame_buffer: bytes = self._frame_buffer + data_in
        while True:
            taken = 0
            while (found := read_delivery(self._frame_buffer, taken)) and self.take(
                found.tag, found.body
            ):
                taken = found.end
            self._trim_frame_buffer(taken)  # type: ignore[attr-defined]
            length, frame = self._read_frame()  # type: ignore[attr-defined]
            if not frame:
                return
            self._trim_frame_buffer(length)  # type: ignore[attr-defined]
            self._process_frame(frame)  # type: ignore[attr-defined]

    def _output_marshaled_frames(self, marshaled_frames: Any) -> None:
        # pika would call send(2) for each of a message's three frames.
        super()._output_marshaled_frames([b"".join(marshaled_frames)])  # type: ignore[misc]


class Link:
    """One connection and its channel. Once it has failed, every method raises BrokerUnreachable.

    `patience` is how long the broker may owe us an answer without a sign of life, in seconds. While
    it blocks publishers it owes none, unless `is_hurried`: then that is a failure.
    """

    channel: Channel

    def __init__(
        self,
        parameters: URLParameters,
        url: str,
        patience: float,
        take: Take = lambda _tag, _body: False,
        is_hurried: bool = False,
    ) -> None:
        self.host = f"{parameters.host}:{parameters.port}"
        self.patience = patience
        self._parameters = parameters
        self._url = url
        self._take = take
        self._is_hurried = is_hurried
        self.failure: BaseException | None = None
        self._bell = asyncio.Event()
        self._closed = asyncio.Event()
        self._blocked = ""
        self._connection: AsyncioConnection
        self._when_empty: Callable[[None], None]

    async def open(self) -> None:
        """Connect, and open the channel. May wait for ever: the caller sets the time-out."""
        connection = _Connection(
            self._parameters,
            on_open_callback=lambda _: self.ring(),
            on_open_error_callback=self._on_closed,
            on_close_callback=self._on_closed,
        )
        connection.take = self._take
        self._connection = connection
        await self.until(lambda: self._connection.is_open)
        self._connection.add_on_connection_blocked_callback(self._on_blocked)
        self._connection.add_on_connection_unblocked_callback(self._on_unblocked)
        opened: list[Channel] = []
        self.channel = self._connection.channel(on_open_callback=self._noting(opened))
        self.channel.add_callback(
            lambda _: self._when_empty(None), [Basic.GetEmpty], one_shot=False
        )
        self.channel.add_on_close_callback(lambda _, why: self.fail(why))
        await self.until(lambda: bool(opened))

    async def close(self) -> None:
        """Close the connection; what was received and not settled goes back to the queue."""
        connection = self._connection
        # What has blocked us reads nothing any more.
        patience = 0 if self._blocked else _LAST_WORD if self.failure else self.patience
        self.fail(RuntimeError("this connection was closed"))
        if not (connection.is_closing or connection.is_closed):
            connection.close()
        try:
            async with asyncio.timeout(patience):
                await self._closed.wait()
        except TimeoutError:
            # pika has no public way to hang up.
            connection._adapter_disconnect_stream()  # type: ignore[attr-defined]
            await self._closed.wait()

    @property
    def server(self) -> str:
        """What the broker calls itself, such as `RabbitMQ 3.13.7`."""
        said: dict[str, Any] = self._connection.server_properties or {}
        return f"{said.get('product', 'a broker')} {said.get('version', '')}".strip()

    def ring(self) -> None:
        """Wake up whoever waits."""
        self._bell.set()

    def check(self) -> None:
        """Raise BrokerUnreachable if the connection has failed."""
        if self.failure:
            raise self.unreachable(reason(self.failure)) from self.failure

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

    async def get(self, queue: str) -> tuple[int, BasicProperties, bytes] | None:
        """Return the tag, properties and body of a queue's next message; None if it is empty."""
        self.check()
        answers: list[tuple[int, BasicProperties, bytes] | None] = []
        note = self._when_empty = self._noting(answers)
        self.channel.basic_get(
            queue, lambda _, method, *content: note((method.delivery_tag, *content))
        )
        await self.answered(lambda: bool(answers))
        return answers[0]

    def unreachable(self, why: str) -> BrokerUnreachable:
        """Return the error that says why the broker cannot be used, and what to check."""
        return _unreachable(self._url, why)

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
        if self._is_hurried:
            self.fail(RuntimeError(self._blocked))

    def _on_unblocked(self, *_: object) -> None:
        self._blocked = ""


async def open_link(
    settings: Settings, take: Take = lambda _tag, _body: False, is_hurried: bool = False
) -> Link:
    """Return an open link to the first host that answers, in an order of chance.

    Raises UsageError for a BROKER_URL that is not one; BrokerUnreachable, with the reason of each
    host, within the connect time-out.
    """
    hosts, url = rabbitmq_url.read(settings), rabbitmq_url.shown(settings)
    random.shuffle(hosts)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.broker_connect_timeout
    reasons: list[str] = []
    for left, parameters in zip(range(len(hosts), 0, -1), hosts, strict=True):
        link = Link(parameters, url, settings.broker_connect_timeout, take, is_hurried)
        # A host that says nothing leaves the others their time.
        share = (deadline - loop.time()) / left
        try:
            async with asyncio.timeout(share):
                await link.open()
                return link
        except TimeoutError:
            why = f"no answer within {share:.3g} s"
            link.fail(TimeoutError(why))
        except BrokerUnreachable:
            why = reason(link.failure)
        except BaseException:
            await link.close()
            raise
        await link.close()
        reasons.append(f"{link.host}: {why}" if len(hosts) > 1 else why)
    raise _unreachable(url, "; ".join(reasons))


def _unreachable(url: str, why: str) -> BrokerUnreachable:
    return BrokerUnreachable(
        f"cannot reach the broker at {url}: {why}. Check BROKER_URL (host, port, user,"
        " password, virtual host), and that the broker runs and accepts this host"
    )


def reason(problem: BaseException | None) -> str:
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
    if problem is None:
        return "the connection was given up"
    if isinstance(problem, ssl.SSLCertVerificationError):
        return (
            f"its certificate is refused: {problem.verify_message.removesuffix('.')}"
            " (cacertfile names who is trusted)"
        )
    text = " ".join(": ".join(map(str, problem.args)).split()) or type(problem).__name__
    # With TLS 1.3 its word on our certificate comes late, as the text of a lost connection.
    if alert := _ALERT.search(text):
        if alert["why"] == "certificate required":
            return "it wants a certificate of ours: name it with certfile and keyfile"
        return f"it refuses our certificate: {alert['why']} (certfile names ours)"
    return text
