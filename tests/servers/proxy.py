"""A TCP proxy on loopback that passes on, breaks connections, or goes silent; and recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

_CHUNK = 65_536


class Proxy:
    """Connections to `port` are carried to another port of loopback; see `proxy`."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._carries = asyncio.Event()
        self._carries.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()

    def go_silent(self) -> None:
        """Keep connections open, accept new ones, and carry nothing: a half-open connection.

        What is sent is still acknowledged by TCP, so only a time limit finds out. It is carried
        once the proxy recovers.
        """
        self._carries.clear()

    async def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        if self._server:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        # They are gone when this returns; gather would wait for our own cancellation too.
        if self._connections:
            await asyncio.wait(self._connections)

    async def recover(self) -> None:
        """Carry again, after whatever it was."""
        self._carries.set()
        if not self._server:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        writers = [writer]
        try:
            await self._carries.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(far_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer))
                both.create_task(self._carry(far_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            for end in writers:
                end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._carries.wait()
            writer.write(data)
            await writer.drain()
        await self._carries.wait()
        with suppress(OSError):
            writer.write_eof()


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Proxy]:
    """Yield a proxy, on a free port, to the target port of loopback."""
    made = Proxy(target)
    await made.recover()
    try:
        yield made
    finally:
        await made.cut()
