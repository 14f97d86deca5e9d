from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain.rate import Bucket, burst

RATES = st.integers(1, 20_000)
TAKES = st.lists(st.tuples(st.floats(0, 2), st.integers(1, 3_000)), max_size=60)


@pytest.mark.parametrize(
    ("rate", "kept"), [(1, 1), (9, 1), (19, 1), (20, 2), (999, 99), (5000, 500)]
)
def test_a_tenth_of_a_second_is_kept_and_at_least_one(rate: int, kept: int) -> None:
    assert burst(rate) == kept
    assert Bucket(rate).take(10_000, 1_000.0) == (kept, 0.0)


@given(RATES, st.floats(0, 1e9), TAKES)
def test_no_window_sees_more_than_rate_times_its_length_and_one_burst(
    rate: int, start: float, takes: list[tuple[float, int]]
) -> None:
    bucket, now = Bucket(rate), start
    granted: list[tuple[float, int]] = []
    for pause, wanted in takes:
        now += pause
        number, _ = bucket.take(wanted, now)
        assert 0 <= number <= wanted
        granted.append((now, number))
    # An instant of a double near 1e9 is true to a tenth of a microsecond.
    inexact = 1e-6 * rate * (1 + len(takes))
    for first in range(len(granted)):
        total = 0
        for moment, number in granted[first:]:
            total += number
            assert total <= rate * (moment - granted[first][0]) + burst(rate) + inexact


@given(RATES, st.floats(0, 1e6), st.integers(1, 3_000))
def test_who_waits_as_told_gets_a_permit_and_who_comes_earlier_does_not(
    rate: int, now: float, wanted: int
) -> None:
    bucket = Bucket(rate)
    assert bucket.take(10**9, now) == (burst(rate), 0.0)
    none, wait = bucket.take(wanted, now)
    assert none == 0
    assert wait == pytest.approx(1 / rate, rel=1e-2)
    assert bucket.take(wanted, now + wait / 2)[0] == 0
    assert bucket.take(wanted, now + wait * 1.02)[0] == 1


def test_nothing_is_lost_to_waiting_in_small_steps() -> None:
    bucket = Bucket(30)
    assert sum(bucket.take(1, step / 1000)[0] for step in range(10_000)) in range(300, 304)


@given(RATES, st.floats(1, 1e6))
def test_a_clock_that_was_put_back_costs_one_burst(rate: int, back: float) -> None:
    bucket = Bucket(rate)
    bucket.take(1, 2e6)
    granted, wait = bucket.take(10**9, 2e6 - back)
    assert granted >= 0
    assert wait <= 1.01 / rate
