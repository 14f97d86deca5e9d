"""How many messages may go out now: permits that come at an even rate."""

from __future__ import annotations

from dataclasses import dataclass

_BURST_SECONDS = 0.1


def burst(rate: int) -> int:
    """Return how many unused permits are kept: what comes in 100 ms, and at least 1.

    Enough to make good for a loop that was late, and so little that a receiver sees an even stream.
    """
    return max(1, int(rate * _BURST_SECONDS))


@dataclass
class Bucket:
    """Grants at most `rate * T + burst(rate)` permits in any T seconds.

    The generic cell rate algorithm (ITU-T I.371, annex A), with parts of what is wanted granted.
    All it remembers is the instant at which no permit will be missing any more. db/rate_limit.lua
    does the same in Redis.
    """

    rate: int
    full_at: float = 0.0

    def take(self, wanted: int, now: float) -> tuple[int, float]:
        """Return how many of the wanted permits are granted, and the seconds until there is one.

        The seconds are 0 when something was granted. A clock that was put back costs one burst.
        """
        most = burst(self.rate)
        missing = min(max((self.full_at - now) * self.rate, 0.0), most)
        granted = min(wanted, int(most - missing))
        if not granted:
            return 0, (missing - most + 1) / self.rate
        self.full_at = now + (missing + granted) / self.rate
        return granted, 0.0
