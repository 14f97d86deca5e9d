from __future__ import annotations

import pytest

from birthday_cli.cli.output import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (3.14, "3.1 s"),
        (30, "30 s"),
        (60, "1 min"),
        (125.4, "2 min 5 s"),
        (3_599.7, "1 h"),
        (3_600, "1 h"),
        (3_661, "1 h 1 min"),
        (172_800, "48 h"),
        (360_000, "4 d 4 h"),
        (604_800, "7 d"),
    ],
)
def test_a_time_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
