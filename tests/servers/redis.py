"""Private Redis servers: one for the session, and one for a test that stops or kills it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import process


class RedisServer:
    """One private server on loopback; nothing of it outlives it."""

    def __init__(self, folder: Path) -> None:
        self.port = process.free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start it with further options of redis-server, such as `--requirepass`, `geheim`."""
        program = shutil.which("redis-server")
        if not program:
            pytest.fail("Redis is not installed: run `make test` as root, or install redis-server")
        self._process = process.start(
            [
                program,
                *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)),
                *("--save", "", *options),
            ],
            cwd=self._folder,
            log=self._folder / "server.log",
            ready=self._listens,
        )

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it accept connections and say nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        return self._says(b"+PONG")

    def _listens(self) -> bool:
        # One that asks for a password, or is still loading, is up as well.
        return self._says(b"+PONG", b"-NOAUTH", b"-LOADING")

    def _says(self, *answers: bytes) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(256).startswith(answers)
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self.thaw()
            process.stop(self._process, how)


@contextmanager
def _server() -> Iterator[RedisServer]:
    with process.folder("redis") as folder:
        server = RedisServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Return a server that tests share, and leave as they found it."""
    with _server() as server:
        yield server


@pytest.fixture
def private_redis() -> Iterator[RedisServer]:
    """Return a server of the test's own, to be frozen, killed and started again."""
    with _server() as server:
        yield server
