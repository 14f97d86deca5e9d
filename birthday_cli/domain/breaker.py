"""The circuit breaker: while everything fails, waiting costs less than trying."""

from __future__ import annotations

import random

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LONGEST_PAUSE_ASKED_FOR = 900.0


class Breaker:
    """Opens after a number of failures in a row; then one attempt at a time is a probe.

    A probe that fails doubles the pause before the next, up to a minute; the first attempt that
    delivers closes it. Times are seconds of a clock that only the caller reads.
    """

    def __init__(self, threshold: int, rng: random.Random) -> None:
        self._threshold = threshold
        self._rng = rng
        self._failures = 0
        self._pause = 0.0
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nothing but probes is to be sent."""
        return self._failures >= self._threshold

    @property
    def probe_at(self) -> float:
        """When the next probe may be sent, while the breaker is open."""
        return self._probe_at

    def succeeded(self) -> None:
        """Note an attempt that delivered."""
        self._failures = 0
        self._pause = 0.0

    def failed(self, now: float, retry_after: float | None) -> None:
        """Note an attempt that did not; `retry_after` is the pause that was asked for.

        What was under way when the breaker opened fails with the rest, and lengthens nothing.
        """
        was_open = self.is_open
        self._failures += 1
        if not self.is_open or (was_open and now < self._probe_at):
            return
        self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
        # Many workers that lost the receiver at the same moment do not come back at the same one.
        spread = self._pause * (0.5 + 0.5 * self._rng.random())
        self._probe_at = now + max(spread, min(retry_after or 0.0, _LONGEST_PAUSE_ASKED_FOR))
