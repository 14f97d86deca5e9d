"""What changes on an open page: sent as events, found out once for all who watch the same page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import StreamingResponse

EVERY = 2.0
"""Seconds between two looks."""


class Shared:
    """Answers that are as good as new for a while, each found out by one who asks."""

    def __init__(self, fresh_for: float) -> None:
        self._fresh_for = fresh_for
        self._answers: dict[str, tuple[float, str]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[str]]) -> str:
        """Return what ask returned a moment ago for key, or does now."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            moment = time.monotonic()
            found = self._answers.get(key)
            if not found or moment - found[0] > self._fresh_for:
                found = (time.monotonic(), await ask())
                self._answers[key] = found
                self._forget()
        return found[1]

    def _forget(self) -> None:
        old = time.monotonic() - 10 * self._fresh_for
        for key in [key for key, (at, _) in self._answers.items() if at < old]:
            del self._answers[key]
            self._locks.pop(key, None)


def stream(
    look: Callable[[], Awaitable[str]], stopping: asyncio.Event, every: float = EVERY
) -> StreamingResponse:
    """Return a response that sends what look returns, one line, whenever that is another one."""
    return StreamingResponse(
        _events(look, stopping, every),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(
    look: Callable[[], Awaitable[str]], stopping: asyncio.Event, every: float
) -> AsyncIterator[str]:
    told = None
    while not stopping.is_set():
        text = await look()
        # A comment, when there is nothing new, finds out whether anybody is still there.
        yield f"data: {text}\n\n" if text != told else ":\n\n"
        told = text
        try:
            await asyncio.wait_for(stopping.wait(), every)
        except TimeoutError:
            continue
