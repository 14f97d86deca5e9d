"""A private Redis."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.servers import process


@dataclass(frozen=True)
class RedisServer:
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if not program:
        pytest.fail("Redis is not installed: run `make test` as root, or install redis-server")
    server = RedisServer(process.free_port())
    with process.folder("redis") as folder:
        running = process.start(
            [program, "--bind", "127.0.0.1", "--port", str(server.port), "--save", ""],
            cwd=folder,
            log=folder / "server.log",
            ready=server.answers,
        )
        try:
            yield server
        finally:
            process.stop(running, signal.SIGTERM)
