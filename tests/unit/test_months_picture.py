from __future__ import annotations

import pytest

from birthday_cli.cli.partitions import bar

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("by_status", "drawn"),
    [
        ({"SENT": 10 * MILLION}, "██████████"),
        ({"SENT": 5 * MILLION}, "█████"),
        ({"SENT": 6 * MILLION, "SCHEDULED": 4 * MILLION}, "██████░░░░"),
        ({}, ""),
    ],
)
def test_a_bar_is_as_long_as_its_share_of_the_largest_month(
    by_status: dict[str, int], drawn: str
) -> None:
    assert bar(by_status, 10 * MILLION, 10).plain == drawn


def test_each_status_has_a_character_of_its_own() -> None:
    statuses = ["SENT", "FAILED", "RETRYING", "SENDING", "QUEUED", "SCHEDULED"]
    drawn = bar(dict.fromkeys(statuses, 1), 6, 6).plain
    assert len(set(drawn)) == len(drawn) == 6


@pytest.mark.parametrize("length", [6, 8, 30])
def test_a_status_that_is_rare_is_seen_and_makes_the_bar_no_longer(length: int) -> None:
    rare = {"FAILED": 1, "RETRYING": 1, "SENDING": 1, "QUEUED": 1}
    drawn = bar({"SENT": 9 * MILLION, "SCHEDULED": MILLION, **rare}, 10 * MILLION, length).plain
    assert len(drawn) == length
    assert {*"xrsq█░"} == {*drawn}


def test_a_small_month_beside_a_large_one_is_a_mark_and_an_empty_one_is_nothing() -> None:
    assert bar({"SENT": 1}, 10 * MILLION, 10).plain == "█"
    assert bar({}, 10 * MILLION, 10).plain == ""
