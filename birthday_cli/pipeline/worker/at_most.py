"""A bounded number of pieces of work side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class AtMost:
    """Runs up to `number` coroutines at once, for one task that starts them.

    What one of them raises is raised to that task, by whatever it calls next.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._running: set[asyncio.Task[None]] = set()

    async def room(self) -> None:
        """Return when another one may be started."""
        if len(self._running) < self._number:
            self._collect({task for task in self._running if task.done()})
        while len(self._running) >= self._number:
            await self._some()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start work, for which there is room."""
        self._running.add(asyncio.create_task(work))

    async def finish(self) -> None:
        """Return when all of them have ended."""
        while self._running:
            await self._some()

    def cancel(self) -> None:
        """Have all of them cancelled; `finish` still waits for their ends."""
        for task in self._running:
            task.cancel()

    async def _some(self) -> None:
        done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        self._collect(done)

    def _collect(self, done: set[asyncio.Task[None]]) -> None:
        self._running -= done
        for task in done:
            if not task.cancelled():
                task.result()
