"""The program as its users run it: a process with arguments, an environment and an exit code."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import secrets
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

PROGRAM = Path(sys.executable).with_name("bdaysched")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each test once, on PostgreSQL 15: that others serve too, the other suites show."""
    items[:] = [item for item in items if not _repeats_on_another_server(item)]


def _repeats_on_another_server(item: pytest.Item) -> bool:
    here = item.path.is_relative_to(Path(__file__).parent)
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return here and parameters.get("postgres_server") == "embedded"


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def explanation(self) -> str:
        """The one line on stderr by which a failed run explains itself."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("bdaysched: ")
        return lines[0]


@dataclass
class Program:
    """Starts the program with settings that hold for all runs of a test."""

    environment: dict[str, str]
    path: Path = PROGRAM

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self.path,
            *arguments,
            env={**os.environ, **self.environment, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **environment: str) -> Ended:
        return await end(await self.start(*arguments, **environment))


async def end(process: asyncio.subprocess.Process, seconds: float = 120) -> Ended:
    """Wait for process; whatever happened, it ends without a traceback."""
    out, err = await asyncio.wait_for(process.communicate(), seconds)
    assert process.returncode is not None
    ended = Ended(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in ended.out + ended.err, ended.err
    return ended


def write(name: str, content: str | bytes) -> None:
    """Put a file into the folder that the program is run in."""
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def read(name: str) -> str:
    return Path(name).read_text()


Query: TypeAlias = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def program(database: str) -> Program:
    return Program(
        {
            "DATABASE_URL": database,
            "DELIVERY_URL": "console:",
            "BROKER_QUEUE": f"test.{secrets.token_hex(6)}",
        }
    )


@pytest.fixture
def query(database: str) -> Query:
    def ask(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database, options="-c TimeZone=UTC") as connection:
            return connection.execute(statement, parameters).fetchall()

    return ask


OnTerminal: TypeAlias = Callable[..., str]


@pytest.fixture
def on_terminal(program: Program) -> OnTerminal:
    """Run the program on a terminal of 80 columns; return what it writes there."""

    def run(*arguments: str, answer: str = "", **environment: str) -> str:
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            env={**os.environ, "TERM": "xterm-256color", **program.environment, **environment},
            stdin=end,
            stdout=end,
            stderr=end,
        )
        os.close(end)
        os.write(terminal, answer.encode())
        written = b""
        # A terminal whose other end was closed is an error to read, not an end of file.
        while chunk := _read(terminal):
            written += chunk
        os.close(terminal)
        assert process.wait(60) is not None
        return written.decode()

    return run


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
