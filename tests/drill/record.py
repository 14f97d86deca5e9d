"""The receiver as a process, and its record as the judge reads it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.drill.judge import Answer, Request


class Receiver:
    """A running receiver; see tests.drill.receiver for what it can be told."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, record: Path) -> None:
        self.url = f"http://127.0.0.1:{port}/messages"
        self._process = process
        self._record = record

    def tell(self, *words: object) -> None:
        """Give a command."""
        assert self._process.stdin
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")

    def requests(self, ahead: timedelta) -> list[Request]:
        """Return what was recorded so far; the drill's clock is ahead of the real one."""
        lines: dict[int, dict[str, Any]] = {}
        for text in self._record.read_bytes().splitlines():
            line = json.loads(text)
            lines.setdefault(line["n"], {}).update(line)
        return [
            Request(
                line["key"],
                datetime.fromtimestamp(line["at"], UTC) + ahead,
                Answer(line.get("answer", Answer.GONE)),
                line["effect"],
            )
            for line in lines.values()
        ]


@asynccontextmanager
async def receiving(folder: Path, **options: float) -> AsyncIterator[Receiver]:
    """Yield a receiver that records into the folder."""
    record = folder / "received"
    record.touch()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.drill.receiver", "--record", record),
        *(f"--{name}={value}" for name, value in options.items()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdin
    try:
        port = int(await process.stdout.readline())
        yield Receiver(process, port, record)
    finally:
        process.stdin.close()
        await process.wait()


ROOT = Path(__file__).parents[2]
"""The checkout, from which modules of the suite are run."""
