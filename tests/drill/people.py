"""Who is to get what in a drill, reckoned without the program's planner."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg

from birthday_cli.domain import zones

_NINE = time(9)
_TYPES = ("BIRTHDAY", "ANNIVERSARY")
_ADD = """
INSERT INTO users (id, first_name, last_name, email, timezone, birthday_date, anniversary_date)
SELECT id, 'Drill', left(id::text, 8), id || '@example.com', zone, birthday, anniversary
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS new (id, zone, birthday, anniversary)
ON CONFLICT (id) DO NOTHING
"""


class Person(NamedTuple):
    """Someone who celebrates one or two things on `day`."""

    id: UUID
    zone: str
    day: date
    celebrates_both: bool

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of their messages."""
        return [f"{self.id}:{kind}:{self.day}" for kind in _TYPES[: 1 + self.celebrates_both]]


class Crowd(NamedTuple):
    """The people of a drill: whose nine o'clock comes at its morning, and whose has passed.

    Of the second, some `move` to another zone, where it has passed too.
    """

    punctual: list[Person]
    late: list[Person]
    move: dict[UUID, str]


def morning_after(now: datetime) -> datetime:
    """Return 17:00 UTC of tomorrow: nine in the Pacific, and day in all the Americas and Europe."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(17), UTC)


def crowd(messages: int, morning: datetime, rng: random.Random) -> Crowd:
    """Return people who are to get so many messages, the same ones for the same seed."""
    at_nine, past_nine = [], []
    for name in sorted(zones.names()):
        since = morning - _nine(name, morning)
        if not since:
            at_nine.append(name)
        elif timedelta(minutes=15) <= since <= timedelta(hours=10):
            past_nine.append(name)
    found = Crowd([], [], {})
    left = messages
    while left:
        is_punctual = rng.random() < 0.3
        both = left > 1 and rng.random() < 0.3
        zone = rng.choice(at_nine if is_punctual else past_nine)
        person = Person(UUID(int=rng.getrandbits(128), version=4), zone, _day(zone, morning), both)
        (found.punctual if is_punctual else found.late).append(person)
        left -= len(person.keys)
    for person in found.late:
        if rng.random() < 0.05:
            there = [zone for zone in past_nine if _day(zone, morning) == person.day]
            found.move[person.id] = rng.choice(there)
    return found


def add(connection: psycopg.Connection, people: Sequence[Person]) -> None:
    """Add people to the database; those who are there stay as they are."""
    connection.execute(
        _ADD,
        (
            [person.id for person in people],
            [person.zone for person in people],
            [f"{person.day:%m-%d}" for person in people],
            [f"{person.day:%m-%d}" if person.celebrates_both else None for person in people],
        ),
    )


def move(connection: psycopg.Connection, user_id: UUID, zone: str) -> None:
    """Let somebody move to another zone."""
    connection.execute("UPDATE users SET timezone = %s WHERE id = %s", (zone, user_id))


def _day(zone: str, moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _nine(zone: str, moment: datetime) -> datetime:
    here = ZoneInfo(zone)
    return datetime.combine(_day(zone, moment), _NINE, here).astimezone(UTC)
