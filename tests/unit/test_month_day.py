from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain.month_day import LeapRule, celebrated_on, next_on_or_after, parse

month_days = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map(lambda day: f"{day:%m-%d}")
days = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@pytest.mark.parametrize("text", ["02-29", "2023-02-29", "1992-02-29", "--02-29"])
def test_29_february_is_a_day_whatever_the_year_that_is_dropped(text: str) -> None:
    assert parse(text) == "02-29"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "02-30",
        "13-01",
        "00-10",
        "04-31",
        "1-1",
        "12/30",
        "30-12",
        "2024-2-3",
        " 01-01",
        "\u0660\u0661-\u0660\u0661",
    ],
)
def test_what_is_no_day_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse(text)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (LeapRule.FEB_28, {date(2027, 2, 28)}),
        (LeapRule.MAR_1, {date(2027, 3, 1)}),
        (LeapRule.SKIP, set()),
    ],
)
def test_29_february_in_a_common_year(rule: LeapRule, expected: set[date]) -> None:
    year = [date(2027, 1, 1) + timedelta(days=count) for count in range(365)]
    assert {day for day in year if "02-29" in celebrated_on(day, rule)} == expected


@given(month_days, days, st.sampled_from(LeapRule))
def test_next_is_the_first_day_on_which_it_is_celebrated(
    month_day: str, day: date, rule: LeapRule
) -> None:
    found = next_on_or_after(month_day, day, rule)
    assert found >= day
    span = [day + timedelta(days=count) for count in range((found - day).days + 1)]
    assert [when for when in span if month_day in celebrated_on(when, rule)] == [found]


@given(month_days, st.integers(1999, 2100))
def test_everyone_is_celebrated_once_a_year(month_day: str, year: int) -> None:
    for rule in (LeapRule.FEB_28, LeapRule.MAR_1):
        first = next_on_or_after(month_day, date(year, 1, 1), rule)
        assert first.year == year
        assert next_on_or_after(month_day, first + timedelta(days=1), rule).year == year + 1
