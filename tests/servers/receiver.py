"""A delivery service that keeps what it is sent, and answers as a test tells it to."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from aiohttp import web
from multidict import CIMultiDict


@dataclass(frozen=True)
class Received:
    """One request. `connection` is the client's port, the same as long as it keeps one open."""

    method: str
    path: str
    headers: CIMultiDict[str]
    body: bytes
    instant: datetime
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Answering: TypeAlias = Callable[[Received], Awaitable[Answer]]


class Receiver:
    """An HTTP server on the loopback interface. It answers 200 unless told otherwise.

    `answers` are given first, one to each request; then `answer`, which may also be a coroutine
    function that looks at the request, waits for something, or raises. `stop` closes the port,
    and `start` opens the same one again.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Answer | Answering = Answer()
        self.answers: deque[Answer | Answering] = deque()
        self._arrival = asyncio.Condition()
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/messages"

    @property
    def keys(self) -> Counter[str]:
        """How often each Idempotency-Key came."""
        return Counter(request.key for request in self.received)

    async def wait_for(self, count: int) -> None:
        """Return when count requests have come. Two minutes are a hang."""
        async with asyncio.timeout(120), self._arrival:
            await self._arrival.wait_for(lambda: len(self.received) >= count)

    async def start(self) -> None:
        # A request that a test holds back must not hold back the end of the test.
        runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        arrived = Received(
            method=request.method,
            path=request.path_qs,
            headers=CIMultiDict(request.headers),
            body=await request.read(),
            instant=datetime.now(UTC),
            connection=request.transport.get_extra_info("peername")[1],
        )
        self.received.append(arrived)
        async with self._arrival:
            self._arrival.notify_all()
        answer = self.answers.popleft() if self.answers else self.answer
        if not isinstance(answer, Answer):
            answer = await answer(arrived)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    server = Receiver()
    await server.start()
    yield server
    await server.stop()
