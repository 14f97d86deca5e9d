from __future__ import annotations

import random

import pytest

from birthday_cli.domain.retry import Ambiguous, Outcome, OutcomeClass, RetryPolicy, backoff
from birthday_cli.domain.states import MOVES, Status

POLICY = RetryPolicy(max_attempts=8, ambiguous=Ambiguous.RETRY)
HOLD = RetryPolicy(max_attempts=8, ambiguous=Ambiguous.HOLD)
HOUR = 3_600.0


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)


@pytest.mark.parametrize(
    ("kind", "attempt", "expected"),
    [
        (OutcomeClass.DELIVERED, 1, Status.SENT),
        (OutcomeClass.DELIVERED, 8, Status.SENT),
        (OutcomeClass.TRANSIENT, 1, Status.RETRYING),
        (OutcomeClass.AMBIGUOUS, 7, Status.RETRYING),
        (OutcomeClass.TRANSIENT, 8, Status.FAILED),
        (OutcomeClass.AMBIGUOUS, 8, Status.FAILED),
        (OutcomeClass.PERMANENT, 1, Status.FAILED),
    ],
)
def test_what_follows_an_attempt(
    kind: OutcomeClass, attempt: int, expected: Status, rng: random.Random
) -> None:
    verdict = POLICY.judge(Outcome(kind), attempt, HOUR, rng)
    assert verdict.status is expected
    assert expected in MOVES[Status.SENDING]
    assert (verdict.pause is not None) == (expected is Status.RETRYING)
    assert not verdict.is_held


@pytest.mark.parametrize("attempt", [1, 8, 20])
def test_only_what_is_ambiguous_is_held_and_however_often_it_was_tried(
    attempt: int, rng: random.Random
) -> None:
    verdict = HOLD.judge(Outcome(OutcomeClass.AMBIGUOUS), attempt, HOUR, rng)
    assert verdict.status is Status.RETRYING
    assert verdict.is_held
    for kind in set(OutcomeClass) - {OutcomeClass.AMBIGUOUS}:
        assert not HOLD.judge(Outcome(kind), attempt, HOUR, rng).is_held


def test_the_other_side_may_ask_for_a_longer_pause_and_gets_it(rng: random.Random) -> None:
    for wanted in (0.0, 2.0, 600.0):
        outcome = Outcome(OutcomeClass.TRANSIENT, retry_after=wanted)
        pauses = [POLICY.judge(outcome, 1, HOUR, rng).pause for _ in range(200)]
        assert min(pause for pause in pauses if pause is not None) >= wanted
        assert max(pause for pause in pauses if pause is not None) <= max(wanted, 5)


def test_a_next_attempt_that_would_be_too_late_is_none(rng: random.Random) -> None:
    """Of a pause of our own making it is made shorter; the other side's wish cannot be."""
    outcome = Outcome(OutcomeClass.TRANSIENT)
    pauses = [POLICY.judge(outcome, 5, 10.0, rng).pause for _ in range(200)]
    assert all(pause is not None and pause < 10 for pause in pauses)
    asked = Outcome(OutcomeClass.TRANSIENT, retry_after=10.0)
    verdict = POLICY.judge(asked, 1, 10.0, rng)
    assert (verdict.status, verdict.pause) == (Status.FAILED, None)
    assert verdict.remark == "the next attempt would be too late"


def test_pauses_grow_to_a_ceiling_and_spread_over_all_of_it(rng: random.Random) -> None:
    for attempt, ceiling in ((1, 5), (2, 10), (5, 80), (9, 900), (40, 900)):
        pauses = [backoff(attempt, HOUR, rng) for _ in range(2_000)]
        assert 0 <= min(pauses) < ceiling * 0.05
        assert ceiling * 0.95 < max(pauses) <= ceiling
