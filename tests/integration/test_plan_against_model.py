"""Weeks of random changes, against a reckoning user by user that knows no more than zoneinfo."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from birthday_cli.domain import zones
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan
from tests.facts import RULES, add_user

# Clocks change in North America and in Europe, and a common year has its 28 February.
START = datetime(2027, 2, 25, 3, 17, tzinfo=UTC)
STEPS = 70
DAY = timedelta(days=1)
HORIZON = 2 * DAY
NINE = time(9)


@dataclass
class Person:
    timezone: str
    birthday_date: str | None
    anniversary_date: str | None
    first_name: str
    deleted: bool = False

    def mornings(self, day: date) -> dict[str, datetime]:
        """Send times by type, on a local date on which the person celebrates."""
        celebrated = {f"{day:%m-%d}"} | ({"02-29"} if f"{day:%m-%d}" == "02-28" else set())
        at = datetime.combine(day, NINE, zones.load(self.timezone)).astimezone(UTC)
        dates = {"BIRTHDAY": self.birthday_date, "ANNIVERSARY": self.anniversary_date}
        return {kind: at for kind, found in dates.items() if found in celebrated}

    def text(self, kind: str) -> str:
        return f"Happy {kind.lower()}, {self.first_name} Lovelace!"

    def day_ends(self, day: date) -> datetime:
        return datetime.combine(day + DAY, time(), zones.load(self.timezone)).astimezone(UTC)


class Model:
    def __init__(self, connection: psycopg.Connection, seed: int) -> None:
        self.people: dict[UUID, Person] = {}
        self.sent: dict[tuple[UUID, str, date], datetime] = {}
        self._rng = random.Random(seed)
        self._zones = sorted(zones.names())
        self._connection = connection

    def some_day(self, now: datetime) -> str:
        if self._rng.random() < 0.2:
            return "02-29"
        return f"{now + DAY * self._rng.randint(-2, 4):%m-%d}"

    def add(self, now: datetime) -> None:
        person = Person(
            self._rng.choice(self._zones),
            self.some_day(now),
            self._rng.choice([None, self.some_day(now)]),
            "Ada",
        )
        key = add_user(
            self._connection, person.timezone, person.birthday_date, person.anniversary_date
        )
        self.people[key] = person

    def change(self, now: datetime) -> None:
        key, person = self._rng.choice(list(self.people.items()))
        match self._rng.randrange(5):
            case 0:
                person.timezone = self._rng.choice(self._zones)
            case 1:
                person.birthday_date = self._rng.choice([None, self.some_day(now)])
            case 2:
                person.anniversary_date = self.some_day(now)
            case 3:
                person.first_name = f"Name {self._rng.random()}"
            case 4:
                person.deleted = not person.deleted
        self._connection.execute(
            "UPDATE users SET timezone = %s, birthday_date = %s, anniversary_date = %s,"
            " first_name = %s, deleted_at = CASE WHEN %s THEN now() END WHERE id = %s",
            (
                person.timezone,
                person.birthday_date,
                person.anniversary_date,
                person.first_name,
                person.deleted,
                key,
            ),
        )

    def happen(self, now: datetime) -> None:
        for _ in range(self._rng.randint(0, 6)):
            self._rng.choice([self.add, self.change, self.change])(now)

    def step(self) -> timedelta:
        return timedelta(minutes=self._rng.randint(1, 500))

    def expect(self, now: datetime) -> dict[tuple[UUID, str, date], tuple[datetime, str]]:
        """Whose messages must be waiting after planning at now; notes those that must go out."""
        waiting = {}
        for key, person in self.people.items():
            for day in (now.date() + count * DAY for count in range(-2, 5)):
                for kind, at in person.mornings(day).items() if not person.deleted else ():
                    if (key, kind, day) in self.sent or person.day_ends(day) <= now:
                        continue
                    if at <= now:
                        self.sent[key, kind, day] = at
                    elif at <= now + HORIZON + timedelta(minutes=7):
                        waiting[key, kind, day] = (at, person.text(kind))
        return waiting


def rows(connection: psycopg.Connection, status: str) -> list[Any]:
    return connection.execute(
        "SELECT user_id, message_type, delivery_date, scheduled_send_time, message_content"
        " FROM message_logs WHERE status = %s",
        (status,),
    ).fetchall()


@pytest.mark.parametrize("seed", [1, 2])
def test_random_changes(connection: psycopg.Connection, seed: int) -> None:
    months.create_locked(connection, START, 2)
    model = Model(connection, seed)
    now = START
    model.add(now)
    for _ in range(STEPS):
        model.happen(now)
        plan(connection, now, HORIZON, RULES)
        expected = model.expect(now)
        connection.execute(
            "UPDATE message_logs SET status = 'SENT' WHERE scheduled_send_time <= %s", (now,)
        )
        waiting = rows(connection, "SCHEDULED")
        assert {row[:3]: row[3:] for row in waiting} == expected
        assert len(waiting) == len(expected)
        sent = rows(connection, "SENT")
        assert {row[:3]: row[3] for row in sent} == model.sent
        assert len(sent) == len(model.sent)
        now += model.step()
    assert len(model.sent) > 40
