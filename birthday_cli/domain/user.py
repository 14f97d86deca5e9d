"""A user as a CSV line or a form gives it: checked before the database sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from birthday_cli.domain import month_day, zones

REQUIRED = ("first_name", "last_name", "email", "timezone")
OPTIONAL = ("birthday_date", "anniversary_date", "location_city", "location_country")
COLUMNS = REQUIRED + OPTIONAL

# A check against typing errors, not of RFC 5321's whole grammar: one @, no white space or control
# characters, a domain of non-empty labels, at most 254 octets (RFC 5321, 4.5.3.1.3).
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f.]+(?:\.[^@\s\x00-\x1f\x7f.]+)*")
_LONGEST_EMAIL = 254


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


def parse(fields: Mapping[str, str]) -> User:
    """Return the user that fields (column to text; empty means none) describe.

    Raises ValueError that names the column and the value when one is missing or wrong.
    """
    values = {name: fields.get(name, "").strip() for name in COLUMNS}
    for name, value in values.items():
        if "\x00" in value:
            raise ValueError(f"{name} {value!r} holds a NUL character")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(f"{name} {value!r} is not UTF-8")
    for name in REQUIRED:
        if not values[name]:
            raise ValueError(f"{name} is missing")
    if not _EMAIL.fullmatch(values["email"]) or len(values["email"].encode()) > _LONGEST_EMAIL:
        raise ValueError(f"email {values['email']!r} is not an e-mail address")
    if values["timezone"] not in zones.names():
        raise ValueError(f"timezone {values['timezone']!r} is not a time zone")
    for name in ("birthday_date", "anniversary_date"):
        if values[name]:
            try:
                values[name] = month_day.parse(values[name])
            except ValueError as problem:
                raise ValueError(f"{name} {problem}") from problem
    optional = [values[name] or None for name in OPTIONAL]
    return User(*(values[name] for name in REQUIRED), *optional)
