from __future__ import annotations

import re

import pytest

from birthday_cli.domain.month_day import parse


@pytest.mark.parametrize("text", ["", "1-1", "2024-2-3", "24-02-03", "02", "20240203"])
def test_other_ways_to_write_a_day_are_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse(text)
