"""What becomes of a message after an attempt to send it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

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


def backoff(attempt: int, rng: random.Random) -> float:
    """Return the pause in seconds after attempt (1 for the first).

    Exponential with full jitter: uniform between 0 and min(900, 5 * 2**(attempt - 1)).
    """
    ceiling = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt - 1, 16))
    return rng.uniform(0, ceiling)


def next_status(outcome: Outcome, attempt: int, max_attempts: int) -> Status:
    """Return the state that follows outcome of the attempt with that number (1 for the first)."""
    if outcome.kind is OutcomeClass.DELIVERED:
        return Status.SENT
    if outcome.kind is OutcomeClass.PERMANENT or attempt >= max_attempts:
        return Status.FAILED
    return Status.RETRYING
