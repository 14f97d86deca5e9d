from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.channels.webhook import retry_after

DATE_PARTS = [" ", ",", ":", "-", "+", "Sun", "Nov", "6", "08", "49", "1994", "99999999999", "GMT"]


class TestRetryAfter:
    NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            (" 120 ", 120),
            ("86400", 86_400),
            ("86401", 86_400),
            ("9" * 5_000, 86_400),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
            ("Sun Nov  6 08:49:37 1994", 30),
            ("Sun, 06 Nov 1999 08:49:37 GMT", 86_400),
            ("Sun, 06 Nov 1994 08:49:07 GMT", None),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("٣", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37 -99999999999999999999", None),
            ("Sun, 06 Nov 99999999999 08:49:37 GMT", None),
            ("", None),
            (None, None),
        ],
    )
    def test_is_seconds_or_a_date_to_come(self, value: str | None, seconds: float | None) -> None:
        assert retry_after(value, self.NOW) == seconds

    @given(st.lists(st.sampled_from(DATE_PARTS)).map("".join))
    def test_is_nothing_or_within_a_day_whatever_it_says(self, value: str) -> None:
        assert 0 <= (retry_after(value, self.NOW) or 0) <= 86_400
