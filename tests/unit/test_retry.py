from __future__ import annotations

import random

import pytest

from birthday_cli.domain.retry import Outcome, OutcomeClass, backoff, next_status
from birthday_cli.domain.states import CLAIMABLE, FINAL, MOVES, Status


@pytest.mark.parametrize(
    ("kind", "attempt", "expected"),
    [
        (OutcomeClass.DELIVERED, 1, Status.SENT),
        (OutcomeClass.DELIVERED, 8, Status.SENT),
        (OutcomeClass.TRANSIENT, 1, Status.RETRYING),
        (OutcomeClass.AMBIGUOUS, 7, Status.RETRYING),
        (OutcomeClass.TRANSIENT, 8, Status.FAILED),
        (OutcomeClass.PERMANENT, 1, Status.FAILED),
    ],
)
def test_what_follows_an_attempt(kind: OutcomeClass, attempt: int, expected: Status) -> None:
    assert next_status(Outcome(kind), attempt, max_attempts=8) is expected
    assert expected in MOVES[Status.SENDING]


def test_pauses_grow_to_a_ceiling_and_spread_over_all_of_it() -> None:
    rng = random.Random(1)
    for attempt, ceiling in ((1, 5), (2, 10), (5, 80), (9, 900), (40, 900)):
        pauses = [backoff(attempt, rng) for _ in range(2_000)]
        assert 0 <= min(pauses) < ceiling * 0.05
        assert ceiling * 0.95 < max(pauses) <= ceiling


def test_only_sent_and_failed_are_final_and_neither_can_be_claimed() -> None:
    assert {Status.SENT, Status.FAILED} == FINAL
    assert {Status.SCHEDULED, Status.QUEUED, Status.RETRYING} == CLAIMABLE
