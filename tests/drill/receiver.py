"""The delivery service of a drill: a process of its own that records every request for the judge.

It has the effect of a key once. Told to, it refuses, hangs up, keeps silent, or is down.

    python -m tests.drill.receiver --record FILE

It prints its port, and takes commands from standard input until that ends: `down SECONDS`,
`trouble SHARE`, `kill PID NUMBER` (SIGKILL to a process when that many more requests have come).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
import zlib
from pathlib import Path

from tests.drill.judge import Answer

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_REJECTED = b"HTTP/1.1 422 Unprocessable Content\r\nContent-Length: 0\r\n\r\n"
_REFUSED = b"HTTP/1.1 503 Service Unavailable\r\n%sContent-Length: 0\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_FOR_EVER = 3_600.0
_TROUBLES = (Answer.REFUSED, Answer.REFUSED, Answer.HUNG_UP, Answer.SILENT)


class Service:
    """What all connections share: the record, the keys that had their effect, the mood."""

    def __init__(self, record: Path, seed: int, delay: float, trouble: float, rejected: float):
        self.trouble = trouble
        self.connections: set[Connection] = set()
        self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._random = random.Random(seed)
        self._delay = delay
        self._rejected = rejected
        self._done: set[str] = set()
        self._number = 0
        self._server: asyncio.Server | None = None
        self._port = 0
        self._victim: tuple[int, int] | None = None

    async def open(self) -> int:
        """Listen, on the same port as before; return it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", self._port, backlog=1_000
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self._port

    async def down(self, seconds: float) -> None:
        """Refuse connections for a while, after hanging up on everybody."""
        assert self._server
        self._server.close()
        for connection in list(self.connections):
            connection.hang_up()
        await asyncio.sleep(seconds)
        await self.open()

    def kill(self, pid: int, number: int) -> None:
        """Kill a process when that many more requests have come, before they are answered."""
        self._victim = pid, self._number + number

    def arrive(self, key: str, connection: int) -> tuple[int, Answer, float]:
        """Record a request; return its number, what to do about it, and after how many seconds."""
        self._number += 1
        answer = self._choose(key)
        # One that hangs up, or says nothing, may have done its work or not.
        works = answer is Answer.OK or (
            answer in (Answer.HUNG_UP, Answer.SILENT) and self._random.random() < 0.5
        )
        has_effect = works and key not in self._done
        if has_effect:
            self._done.add(key)
        self._write(
            n=self._number, at=time.time(), key=key, connection=connection, effect=has_effect
        )
        if self._victim and self._number >= self._victim[1]:
            os.kill(self._victim[0], signal.SIGKILL)
            self._victim = None
            return self._number, answer, _FOR_EVER
        return self._number, answer, self._random.uniform(0, 2 * self._delay)

    def end(self, number: int, answer: Answer) -> None:
        """Record what became of a request."""
        self._write(n=number, answer=answer, ended=time.time())

    def refusal(self) -> bytes:
        """Return a 503, which may name a pause."""
        later = b"Retry-After: 1\r\n" if self._random.random() < 0.5 else b""
        return _REFUSED % later

    def _choose(self, key: str) -> Answer:
        if zlib.crc32(key.encode()) / 2**32 < self._rejected:
            return Answer.REJECTED
        if self._random.random() < self.trouble:
            return self._random.choice(_TROUBLES)
        return Answer.OK

    def _write(self, **line: object) -> None:
        os.write(self._record, json.dumps(line).encode() + b"\n")


class Connection(asyncio.Protocol):
    """HTTP/1.1 with Content-Length, one request at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport
        self._port = 0
        self._received = b""
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._told_to_continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._port = transport.get_extra_info("peername")[1]
        self._service.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        self._service.connections.discard(self)
        self._end(Answer.GONE)

    def hang_up(self) -> None:
        """Close at once, whatever is under way."""
        self._end(Answer.HUNG_UP)
        self._transport.abort()

    def _next(self) -> None:
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if self._number or not found:
            return
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
        }
        length = int(headers["content-length"])
        if len(rest) < length:
            if headers.get("expect") and not self._told_to_continue:
                self._told_to_continue = True
                self._transport.write(_CONTINUE)
            return
        self._received = rest[length:]
        self._told_to_continue = False
        self._number, answer, pause = self._service.arrive(headers["idempotency-key"], self._port)
        if answer is Answer.SILENT:
            self._service.end(self._number, answer)
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(pause, self._answer, answer)

    def _answer(self, answer: Answer) -> None:
        if answer is Answer.HUNG_UP:
            self.hang_up()
            return
        self._transport.write(
            {Answer.OK: _OK, Answer.REJECTED: _REJECTED}.get(answer) or self._service.refusal()
        )
        self._end(answer)
        self._next()

    def _end(self, answer: Answer) -> None:
        if self._timer:
            self._service.end(self._number, answer)
            self._timer.cancel()
            self._timer = None
            self._number = 0


async def _serve(given: argparse.Namespace) -> None:
    service = Service(given.record, given.seed, given.delay, given.trouble, given.rejected)
    print(await service.open(), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    tasks = []
    while line := (await commands.readline()).split():
        match line:
            case [b"down", seconds]:
                tasks.append(asyncio.create_task(service.down(float(seconds))))
            case [b"trouble", share]:
                service.trouble = float(share)
            case [b"kill", pid, number]:
                service.kill(int(pid), int(number))


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--record", type=Path, required=True, help="the file that is appended to")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--delay", type=float, default=0.0, help="mean seconds before an answer")
    parser.add_argument("--trouble", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--rejected", type=float, default=0.0, help="share of keys that get a 422")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
