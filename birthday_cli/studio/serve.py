"""The server: on loopback, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from birthday_cli.config import Clock, Settings
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.looking import monitor
from birthday_cli.studio.app import application
from birthday_cli.studio.desk import Desk

_HOST = "127.0.0.1"
# For answers that are under way; streams end by themselves.
_LAST_ANSWERS = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_serve`, which lets the streams end."""
        yield


def serve(
    settings: Settings, clock: Clock, port: int, may_write: bool, ready: Callable[[str], None]
) -> None:
    """Serve the pages until SIGINT or SIGTERM; call ready with the URL, which holds the token.

    Port 0 is any free one. Raises UsageError when the port cannot be had. A database that is away,
    now or later, is told by the pages.
    """
    token = secrets.token_urlsafe(32)
    with monitor.held(settings) as (held, cache), _listen(port) as listener:
        bound = listener.getsockname()[1]
        desk = Desk(held, clock, cache, may_write)
        url = f"http://{_HOST}:{bound}/?token={token}"
        asyncio.run(_serve(desk, token, bound, listener, lambda: ready(url)))


async def _serve(
    desk: Desk, token: str, port: int, listener: socket.socket, ready: Callable[[], None]
) -> None:
    stopping = asyncio.Event()
    config = uvicorn.Config(
        application(desk, token, port, stopping),
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
    )
    server = _Server(config)

    def stop() -> None:
        stopping.set()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    listener.listen()
    ready()
    await server.serve(sockets=[listener])


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as problem:
        listener.close()
        raise UsageError(
            f"cannot listen on {_HOST}:{port} ({problem.strerror}): give another --port, or 0 for"
            " any that is free"
        ) from problem
    return listener
