from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain.load import Arrival, Served, rate_needed, serve

START = datetime(2027, 2, 28, 9, tzinfo=UTC)
FOREVER = float("inf")


def arrival(seconds: int, sends: int, patience: float = FOREVER) -> Arrival:
    return Arrival(START + timedelta(seconds=seconds), sends, patience)


@st.composite
def timelines(draw: st.DrawFn, patience: st.SearchStrategy[float]) -> list[Arrival]:
    pauses = draw(st.lists(st.integers(1, 100), min_size=1, max_size=12))
    return [
        arrival(second, draw(st.integers(1, 60)), draw(patience)) for second in accumulate(pauses)
    ]


def one_by_one(arrivals: Sequence[Arrival], rate: int, within: int) -> list[Served]:
    """Send message after message, each taking 1 / rate seconds."""
    free, found = Fraction(0), []
    for at, sends, patience in arrivals:
        due = Fraction((at - START).total_seconds())
        late = too_late = 0
        for _ in range(sends):
            done = max(free, due) + Fraction(1, rate)
            if done - due > patience:
                too_late += 1
                continue
            free = done
            late += done - due > within
        found.append(Served(at, float(max(free - due, Fraction(0))), late, too_late))
    return found


@given(
    timelines(st.sampled_from([20, 50, FOREVER])), st.integers(1, 5), st.sampled_from([1, 10, 30])
)
def test_a_queue_is_what_sending_one_by_one_makes(
    arrivals: list[Arrival], rate: int, within: int
) -> None:
    found = list(serve(arrivals, rate, within))
    expected = one_by_one(arrivals, rate, within)
    assert [served.lateness for served in found] == pytest.approx(
        [served.lateness for served in expected]
    )
    assert [served[2:] for served in found] == [served[2:] for served in expected]


def test_what_is_left_of_one_minute_delays_the_next() -> None:
    found = list(serve([arrival(0, 900), arrival(60, 100), arrival(600, 10)], 10, 60))
    assert [served.lateness for served in found] == [90, 40, 1]
    assert [served.late for served in found] == [300, 0, 0]


def test_what_would_be_too_late_is_not_sent_and_delays_nobody() -> None:
    found = list(serve([arrival(0, 900, patience=60), arrival(60, 10)], 10, 30))
    assert [served.lateness for served in found] == [60, 1]
    assert [(served.late, served.too_late) for served in found] == [(300, 300), (0, 0)]


def brute_rate(arrivals: Sequence[Arrival], within: int) -> float:
    """Return the largest quotient of all spells."""
    return max(
        sum(one.sends for one in arrivals[first : last + 1])
        / ((arrivals[last].at - arrivals[first].at).total_seconds() + within)
        for first in range(len(arrivals))
        for last in range(first, len(arrivals))
    )


@given(timelines(st.just(FOREVER)), st.sampled_from([1, 10, 60, 500]))
def test_the_rate_that_is_needed(arrivals: list[Arrival], within: int) -> None:
    rate = rate_needed(arrivals, within)
    assert rate == pytest.approx(brute_rate(arrivals, within))

    def worst(rate: float) -> float:
        return max(served.lateness for served in serve(arrivals, rate, within))

    assert worst(rate) <= within * 1.000001
    assert worst(rate * 0.99) > within


def test_nothing_needs_no_rate_and_too_late_counts_as_late() -> None:
    assert rate_needed([], 60) == 0
    assert rate_needed([arrival(0, 600)], 60) == 10
    assert rate_needed([arrival(0, 600, patience=20)], 60) == 30
