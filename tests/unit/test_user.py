from __future__ import annotations

import pytest

from birthday_cli.domain.user import User, parse

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
    with pytest.raises(ValueError, match=column) as refused:
        parse({**GOOD, column: value})
    assert not value or repr(value) in str(refused.value)


@pytest.mark.parametrize(
    "zone",
    ["UTC", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "Etc/GMT+5", "EST5EDT"],
)
def test_every_zone_that_zoneinfo_knows_is_taken(zone: str) -> None:
    assert parse({**GOOD, "timezone": zone}).timezone == zone
