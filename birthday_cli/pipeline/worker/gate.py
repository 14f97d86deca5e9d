"""Whether a worker may take messages now: an operator may have paused it, the receiver be down."""

from __future__ import annotations

import asyncio
import logging
import random
from enum import Enum, auto

from birthday_cli.domain.breaker import Breaker
from birthday_cli.domain.retry import Outcome, OutcomeClass

log = logging.getLogger(__name__)


class Allowance(Enum):
    """How many messages may be taken."""

    NONE = auto()
    ONE = auto()  # to find out whether the receiver is back
    ALL = auto()


class Gate:
    """One worker's gate. `wait` returns when the allowance may have changed."""

    def __init__(self, threshold: int, rng: random.Random) -> None:
        self._breaker = Breaker(threshold, rng)
        self._pause: str | None = None
        self._moved = asyncio.Event()

    @property
    def pause(self) -> str | None:
        """Who has paused the workers until when, and why; None while nobody has."""
        return self._pause

    @property
    def receiver_is_down(self) -> bool:
        """Whether so many attempts in a row failed that only probes are sent."""
        return self._breaker.is_open

    @property
    def is_open(self) -> bool:
        """Whether anything at all may be taken and sent."""
        return not self._pause and not self._breaker.is_open

    def set_pause(self, pause: str | None) -> None:
        """Note what the database says about a pause by an operator."""
        if pause != self._pause:
            log.warning("paused" if pause else "resumed", extra={"pause": pause or self._pause})
            self._pause = pause
            self._moved.set()

    def note(self, outcome: Outcome) -> None:
        """Let the breaker know how an attempt ended.

        Any failure counts, a permanent one too: when nothing at all is accepted, it is not about
        one message, and whoever FAILs all of a morning for a wrong password does harm.
        """
        was_open = self._breaker.is_open
        if outcome.kind is OutcomeClass.DELIVERED:
            self._breaker.succeeded()
        else:
            self._breaker.failed(_now(), outcome.retry_after)
        if self._breaker.is_open != was_open:
            self._moved.set()
            if was_open:
                log.warning("the receiver delivers again")
            else:
                log.error(
                    "nothing is delivered any more: pausing, and probing",
                    extra={"code": outcome.code, "error": outcome.error},
                )

    def allowance(self) -> Allowance:
        """Return how many messages may be taken now."""
        if self._pause:
            return Allowance.NONE
        if not self._breaker.is_open:
            return Allowance.ALL
        return Allowance.ONE if _now() >= self._breaker.probe_at else Allowance.NONE

    async def wait(self) -> None:
        """Return when the allowance may be another one."""
        self._moved.clear()
        until_probe = None
        if self._breaker.is_open and not self._pause:
            until_probe = max(0.0, self._breaker.probe_at - _now())
        try:
            async with asyncio.timeout(until_probe):
                await self._moved.wait()
        except TimeoutError:
            pass


def _now() -> float:
    return asyncio.get_running_loop().time()
