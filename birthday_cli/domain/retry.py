"""What becomes of a message after an attempt to send it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from birthday_cli.domain.states import Status

_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 900.0


class OutcomeClass(StrEnum):
    """How an attempt ended.

    transient: not delivered, and may succeed later. permanent: will never succeed. ambiguous:
    the request was written and no answer came, so that its effect is unknown.
    """

    DELIVERED = "delivered"
    TRANSIENT = "transient"
    PERMANENT = "permanent"
    AMBIGUOUS = "ambiguous"


class Ambiguous(StrEnum):
    """What is done about an ambiguous outcome (setting AMBIGUOUS)."""

    RETRY = "retry"
    HOLD = "hold"


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt, as a channel reports it.

    `retry_after` is the pause in seconds that the other side asked for (RFC 9110, 10.2.3).
    """

    kind: OutcomeClass
    code: int | None = None
    body: str | None = None
    error: str | None = None
    retry_after: float | None = None


class Verdict(NamedTuple):
    """What follows: the next state, the pause in seconds before the next attempt, and a remark.

    A message that waits for a person is RETRYING after a pause without end.
    """

    status: Status
    pause: float | None = None
    remark: str | None = None

    @property
    def is_held(self) -> bool:
        """Whether the message waits for a person."""
        return self.pause == float("inf")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a message is tried, and whether an ambiguous outcome is tried again."""

    max_attempts: int
    ambiguous: Ambiguous

    def judge(
        self, outcome: Outcome, attempt: int, seconds_left: float, rng: random.Random
    ) -> Verdict:
        """Return what follows outcome of the attempt with that number (1 for the first).

        A next attempt lies within seconds_left, after which it is too late.
        """
        if outcome.kind is OutcomeClass.DELIVERED:
            return Verdict(Status.SENT)
        if outcome.kind is OutcomeClass.PERMANENT:
            return Verdict(Status.FAILED)
        if outcome.kind is OutcomeClass.AMBIGUOUS and self.ambiguous is Ambiguous.HOLD:
            return Verdict(Status.RETRYING, float("inf"), "held for a person to decide")
        if attempt >= self.max_attempts:
            return Verdict(Status.FAILED, remark=f"given up after {attempt} attempts")
        wanted = outcome.retry_after or 0
        if wanted >= seconds_left:
            return Verdict(Status.FAILED, remark="the next attempt would be too late")
        return Verdict(Status.RETRYING, max(wanted, backoff(attempt, seconds_left, rng)))


def backoff(attempt: int, seconds_left: float, rng: random.Random) -> float:
    """Return the pause in seconds after attempt (1 for the first), shorter than seconds_left.

    Exponential with full jitter: uniform between 0 and min(900, 5 * 2**(attempt - 1)).
    """
    ceiling = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 16), seconds_left)
    return ceiling * rng.random()
