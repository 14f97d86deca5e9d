from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from birthday_cli.domain.month_day import LeapRule, celebrated_on, next_on_or_after, parse

DAY = timedelta(days=1)
# Everyone's run tries the same examples.
same = settings(derandomize=True, deadline=None, max_examples=200)

leap_year = [date(2000, 1, 1) + DAY * count for count in range(366)]
month_days = st.sampled_from([f"{day:%m-%d}" for day in leap_year]) | st.just("02-29")
years = st.integers(0, 9999).map("{:04}-".format)
forms = st.tuples(st.sampled_from(["", "--"]) | years, month_days)
# 1900, 2100 and 2200 are common years.
days = st.dates(date(1896, 1, 1), date(2208, 12, 31))
rules = st.sampled_from(LeapRule)


def refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse(text)


@same
@given(forms)
@example(("2023-", "02-29"))
def test_every_form_gives_the_month_day_whatever_the_year(form: tuple[str, str]) -> None:
    prefix, month_day = form
    assert parse(prefix + month_day) == month_day
    assert parse(parse(prefix + month_day)) == month_day


@pytest.mark.parametrize("prefix", ["", "--", "2023-"])
def test_of_all_pairs_of_numbers_the_days_of_a_leap_year_are_accepted(prefix: str) -> None:
    accepted = []
    for text in (f"{month:02}-{day:02}" for month in range(100) for day in range(100)):
        try:
            accepted.append(parse(prefix + text))
        except ValueError as error:
            assert repr(prefix + text) in str(error)  # noqa: PT017
    assert accepted == [f"{day:%m-%d}" for day in leap_year]


@same
@given(forms, st.data())
def test_with_a_character_too_few_it_is_refused(form: tuple[str, str], data: st.DataObject) -> None:
    text = "".join(form)
    at = data.draw(st.integers(0, len(text) - 1))
    refused(text[:at] + text[at + 1 :])


@same
@given(forms, st.data())
def test_with_a_character_too_many_it_is_refused(
    form: tuple[str, str], data: st.DataObject
) -> None:
    text = "".join(form)
    at = data.draw(st.integers(0, len(text)))
    refused(text[:at] + data.draw(st.sampled_from("0- \n\0") | st.characters()) + text[at:])


@same
@given(forms, st.data())
def test_with_a_character_that_is_no_digit_or_hyphen_it_is_refused(
    form: tuple[str, str], data: st.DataObject
) -> None:
    text = "".join(form)
    at = data.draw(st.integers(0, len(text) - 1))
    # `Nd` are digits too, of other scripts.
    wrong = st.characters(categories=["Nd"], exclude_characters="0123456789") | st.characters(
        exclude_characters="0123456789-"
    )
    refused(text[:at] + data.draw(wrong) + text[at + 1 :])


@same
@given(days, rules)
@example(date(2100, 2, 28), LeapRule.FEB_28)
@example(date(2100, 3, 1), LeapRule.MAR_1)
def test_a_day_celebrates_itself_and_its_celebrations_come_next(day: date, rule: LeapRule) -> None:
    celebrated = celebrated_on(day, rule)
    assert celebrated[0] == f"{day:%m-%d}"
    assert celebrated[1:] in ([], ["02-29"])
    assert {next_on_or_after(month_day, day, rule) for month_day in celebrated} == {day}


@same
@given(month_days, days, rules)
@example("02-29", date(2096, 3, 1), LeapRule.SKIP)
def test_next_is_the_first_day_on_which_it_is_celebrated(
    month_day: str, day: date, rule: LeapRule
) -> None:
    found = next_on_or_after(month_day, day, rule)
    assert found >= day
    span = [day + DAY * count for count in range((found - day).days + 1)]
    assert [when for when in span if month_day in celebrated_on(when, rule)] == [found]


@same
@given(month_days, days, rules)
@example("02-29", date(2096, 2, 29), LeapRule.SKIP)
def test_a_year_lies_between_two_celebrations_and_a_leap_day_may_skip_some(
    month_day: str, day: date, rule: LeapRule
) -> None:
    first = next_on_or_after(month_day, day, rule)
    second = next_on_or_after(month_day, first + DAY, rule)
    if (month_day, rule) == ("02-29", LeapRule.SKIP):
        assert (first.month, first.day) == (second.month, second.day) == (2, 29)
        assert second.year - first.year in {4, 8}
    else:
        assert second.year - first.year == 1
        assert (second - first).days in {365, 366}


@same
@given(st.integers(1896, 2208))
@example(2100)
@example(2000)
def test_29_february_has_one_day_in_every_year_or_none(year: int) -> None:
    first = date(year, 1, 1)
    dates = [first + DAY * count for count in range((date(year + 1, 1, 1) - first).days)]
    is_leap = len(dates) == 366
    for rule, otherwise in {
        LeapRule.FEB_28: [date(year, 2, 28)],
        LeapRule.MAR_1: [date(year, 3, 1)],
        LeapRule.SKIP: [],
    }.items():
        expected = [date(year, 2, 29)] if is_leap else otherwise
        assert [day for day in dates if "02-29" in celebrated_on(day, rule)] == expected
