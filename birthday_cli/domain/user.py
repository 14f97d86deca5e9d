"""A user as a CSV line or a form gives it: checked before the database sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from birthday_cli.domain import month_day, zones

REQUIRED = ("first_name", "last_name", "email", "timezone")
OPTIONAL = ("birthday_date", "anniversary_date", "location_city", "location_country")
COLUMNS = REQUIRED + OPTIONAL

# A check against typing errors, not of RFC 5321's whole grammar: one @, no white space or control
# characters, a domain of non-empty labels, at most 254 octets (RFC 5321, 4.5.3.1.3).
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(?:\.[^@\s\x00-\x1f\x7f.]+)*")
_LONGEST_EMAIL = 254
# What no PostgreSQL text holds; bytes that are not UTF-8 were read as lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class User(NamedTuple):
    """A line of users, in the order of COLUMNS."""

    first_name: str
    last_name: str
    email: str
    timezone: str
    birthday_date: str | None = None
    anniversary_date: str | None = None
    location_city: str | None = None
    location_country: str | None = None


class Wrong(ValueError):
    """Why something is no user: the column and the value, empty for a missing one, with the reason.

    Where it is a line as a whole that is wrong, it has no column.
    """

    def __init__(self, column: str, value: str, reason: str) -> None:
        super().__init__(" ".join(filter(None, (column, repr(value) if value else "", reason))))
        self.column = column
        self.value = value
        self.reason = reason


def parse(fields: Mapping[str, str]) -> User:
    """Return the user that fields (column to text; empty means none) describe; see `check`."""
    return check([fields.get(name, "") for name in COLUMNS])


def check(values: Sequence[str]) -> User:
    """Return the user that values, in the order of COLUMNS, describe; an empty one means none.

    Raises Wrong for the first value that is missing or wrong. This runs for every line of an
    import, so what is right must be found right in few steps.
    """
    values = [value.strip() for value in values]
    if _UNSTORABLE.search("".join(values)):
        raise _unstorable(values)
    first_name, last_name, email, timezone, birthday, anniversary, city, country = values
    if not (first_name and last_name and email and timezone):
        raise Wrong(REQUIRED[values.index("")], "", "is missing")
    if not _EMAIL.fullmatch(email) or len(email.encode()) > _LONGEST_EMAIL:
        raise Wrong("email", email, "is not an e-mail address")
    if timezone not in zones.names():
        raise Wrong("timezone", timezone, "is not a time zone")
    return User(
        first_name,
        last_name,
        email,
        timezone,
        _month_day("birthday_date", birthday),
        _month_day("anniversary_date", anniversary),
        city or None,
        country or None,
    )


def _unstorable(values: Sequence[str]) -> Wrong:
    column, value, found = next(
        (column, value, found)
        for column, value in zip(COLUMNS, values, strict=True)
        if (found := _UNSTORABLE.search(value))
    )
    reason = "holds a NUL character" if found[0] == "\x00" else "is not UTF-8"
    return Wrong(column, value, reason)


def _month_day(column: str, value: str) -> str | None:
    if not value:
        return None
    try:
        return month_day.parse(value)
    except month_day.NoMonthDay as problem:
        raise Wrong(column, value, problem.reason) from problem
