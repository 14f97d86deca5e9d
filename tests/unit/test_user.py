from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.domain import zones
from birthday_cli.domain.user import COLUMNS, REQUIRED, User, Wrong, check, parse

GOOD = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/London",
    "birthday_date": "1815-12-10",
    "anniversary_date": "",
}


def test_a_good_line() -> None:
    assert parse(GOOD) == User(
        "Ada", "Lovelace", "ada@example.com", "Europe/London", "12-10", None, None, None
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("first_name", ""),
        ("first_name", "A\x00da"),
        ("last_name", "L\udcff"),
        ("email", "ada"),
        ("email", "ada@exa mple.com"),
        ("email", "ada@example..com"),
        ("email", "ada@b@example.com"),
        ("email", "ada\r\nBcc: all@example.com"),
        ("email", "a" * 65 + "@example.com"),
        ("email", "ada@" + "x" * 260),
        ("timezone", "Mars/Olympus"),
        ("timezone", "+01:00"),
        ("birthday_date", "30-02"),
        ("anniversary_date", "02-30"),
    ],
)
def test_a_wrong_value_is_named_with_its_column(column: str, value: str) -> None:
    with pytest.raises(Wrong, match=column) as refused:
        parse({**GOOD, column: value})
    assert (refused.value.column, refused.value.value) == (column, value)
    assert not value or repr(value) in str(refused.value)


@pytest.mark.parametrize(
    "zone",
    ["UTC", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5", "EST5EDT"],
)
def test_every_zone_that_zoneinfo_knows_is_taken(zone: str) -> None:
    assert parse({**GOOD, "timezone": zone}).timezone == zone


anything = st.text(st.sampled_from("a@.- \t\n\x00\udcff0é🎂"), max_size=6) | st.sampled_from(
    ["--12-10", "2023-02-29", "02-30", " UTC ", "\u00a0é@é.é\n", "\u200f"]
)


@given(st.dictionaries(st.sampled_from(COLUMNS), anything, max_size=3))
def test_whatever_comes_it_is_a_user_or_the_first_wrong_value_is_named(
    strange: dict[str, str],
) -> None:
    values = tuple(
        {**GOOD, "location_city": "", "location_country": "UK", **strange}[name] for name in COLUMNS
    )
    found = checked(values)
    if isinstance(found, Wrong):
        assert found.value == values[COLUMNS.index(found.column)].strip()
        assert found.reason
        return
    assert found.timezone in zones.names()
    for name, value, given_as in zip(COLUMNS, found, values, strict=True):
        assert value or (value is None and name not in REQUIRED)
        assert not set(value or "") & {"\x00", "\udcff"}
        expected = given_as.strip()[-5:] if name.endswith("_date") else given_as.strip()
        assert (value or "") == expected


def checked(values: Sequence[str]) -> User | Wrong:
    try:
        return check(values)
    except Wrong as wrong:
        return wrong
