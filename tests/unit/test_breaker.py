"""The circuit breaker, by a clock that the test reads."""

from __future__ import annotations

import random

from birthday_cli.domain.breaker import Breaker

THRESHOLD = 3


def opened(now: float = 100.0, retry_after: float | None = None) -> Breaker:
    breaker = Breaker(THRESHOLD, random.Random(1))
    for _ in range(THRESHOLD):
        breaker.failed(now, retry_after)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(THRESHOLD, random.Random(1))
    for _ in range(10):
        breaker.failed(0, None)
        breaker.failed(0, None)
        assert not breaker.is_open
        breaker.succeeded()
    for _ in range(THRESHOLD):
        assert not breaker.is_open
        breaker.failed(0, None)
    assert breaker.is_open


def test_one_success_closes_it_and_the_pauses_begin_anew() -> None:
    breaker = opened()
    for now in (200.0, 400.0):
        breaker.failed(now, None)
    breaker.succeeded()
    assert not breaker.is_open
    for _ in range(THRESHOLD):
        breaker.failed(500.0, None)
    assert 500.5 <= breaker.probe_at <= 501


def test_pauses_between_probes_double_up_to_a_minute() -> None:
    breaker, now = opened(0.0), 0.0
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        assert now + pause / 2 <= breaker.probe_at <= now + pause
        now = breaker.probe_at
        breaker.failed(now, None)


def test_what_was_under_way_when_it_opened_lengthens_nothing() -> None:
    breaker = opened(100.0)
    probe_at = breaker.probe_at
    for _ in range(60):
        breaker.failed(100.1, None)
    assert breaker.probe_at == probe_at


def test_the_receiver_may_ask_for_a_longer_pause_but_not_for_days() -> None:
    assert opened(100.0, retry_after=30).probe_at == 130
    assert opened(100.0, retry_after=86_400).probe_at == 1_000
