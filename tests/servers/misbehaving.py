"""Servers that break off, fall silent or talk nonsense, and time-outs that need no waiting."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Yield the port of a server that treats each connection as behave does, then hangs up."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fall_silent() -> None:
    """Let the other side take in what it was sent, then make every time-out of the loop due."""
    # What is sent over loopback has arrived; some turns of the loop let its reader come to rest.
    for _ in range(50):
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    later = loop.time
    vars(loop)["time"] = lambda: later() + 86_400
    await asyncio.Event().wait()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one HTTP request to its end, and return its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head


@asynccontextmanager
async def webhook(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Yield the URL of a server that treats each connection as behave does."""
    async with server(behave, tls) as port:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"


@asynccontextmanager
async def outspoken(tls: ssl.SSLContext) -> AsyncIterator[str]:
    """Yield the URL of a server that says in TLS why it hangs up, as asyncio's own does not.

    It serves one connection, and never answers.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        serving = asyncio.create_task(asyncio.to_thread(_shake_hands, listener, tls))
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/hook"
        await serving


def _shake_hands(listener: socket.socket, tls: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    connection.settimeout(60)
    with tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as encrypted:
        with suppress(ssl.SSLError):
            encrypted.do_handshake()
        with suppress(OSError):
            encrypted.shutdown(socket.SHUT_WR)
            # What came and was not read would make a reset of the end.
            while encrypted.recv(65_536):
                pass


def answering(*parts: bytes, then: Callable[[], Awaitable[object]] | None = None) -> Behaviour:
    """Return the behaviour of reading the request, writing parts, and doing then."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if then:
            await then()

    return behave
