"""A rehearsal: days or years on a clock of its own, with everything real but the people.

Planner, dispatcher, worker, database and HTTP are the real ones; the clock leaps from one instant
at which something happens to the next. People are added, move, change and leave meanwhile, and at
times nothing runs. At the end stands the audit.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from birthday_cli.brokers.base import Broker
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db import simulation, users
from birthday_cli.db.connect import (
    AsyncConnection,
    Connection,
    connect_async,
    connect_to,
    database,
    open_pool,
)
from birthday_cli.domain import rules as ruling
from birthday_cli.domain import zones
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.rules import Rules
from birthday_cli.domain.sample import people
from birthday_cli.domain.user import User
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.dispatch import dispatch
from birthday_cli.pipeline.looking.audit import Audit, audit_over
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan
from birthday_cli.pipeline.recover import recover
from birthday_cli.pipeline.rehearsal.stage import private_folder, receiver
from birthday_cli.pipeline.schema.migrate import migrate
from birthday_cli.pipeline.worker.tally import Delivered

# A date is somewhere from 14 hours before it is one in UTC to 12 hours after.
_EAST, _WEST = timedelta(hours=14), timedelta(hours=12)
_DAY = timedelta(days=1)
# The planner runs, and people change, at random intervals up to this.
_LONGEST_STEP = timedelta(hours=8)
_LONGEST_OUTAGE = timedelta(days=3)
_MONTHS_AHEAD = 2


@dataclass(frozen=True)
class Simulated:
    """What a span of days came to; `received` and `duplicates` as the receiver counted by key."""

    first: date
    last: date
    users: int
    changes: int
    outages: int
    received: int
    duplicates: int
    audit: Audit

    @property
    def right(self) -> bool:
        """Whether the books balance, and whatever is recorded as sent was received, once."""
        return (
            self.audit.balanced
            and self.duplicates == 0
            and self.received == self.audit.total("sent")
        )


@dataclass
class _Stage:
    settings: Settings
    rules: Rules
    clock: Clock
    connection: Connection
    asynchronous: AsyncConnection
    broker: Broker
    worker: Worker
    working: asyncio.Task[Delivered]
    queued: int = 0


def simulate(
    settings: Settings,
    first: date,
    days: int,
    count: int,
    changes_a_day: float,
    outages: int,
    random_seed: int,
    tell: Callable[[str], None],
) -> Simulated:
    """Play so many days for that many invented users on a private database, and audit them.

    `changes_a_day` people are added, moved, renamed, given another date or deleted; `outages` times
    nothing runs for up to three days. The same arguments play the same days.
    """
    last = first + timedelta(days=days - 1)
    start = datetime.combine(first, time(), UTC) - _EAST
    end = datetime.combine(last, time(), UTC) + _DAY + _WEST
    rng = random.Random(random_seed)
    received: Counter[str] = Counter()
    with private_folder() as folder:
        settings = replace(
            settings,
            database_url=f"embedded:{folder}",
            broker_url="postgres:",
            delivery_secret="",
        )
        with (
            database(settings) as conninfo,
            connect_to(conninfo, settings, "bdaysched simulate") as connection,
        ):
            migrate(settings, start)
            cast = _Cast(connection, rng, count, start - _DAY)
            stops = list(_stops(rng, start, end, outages))
            asyncio.run(
                _play(settings, conninfo, connection, cast, stops, changes_a_day, received, tell)
            )
            report = audit_over(connection, ruling.of(settings), end, end, first, last)
    of_span = [key for key in received if str(first) <= key.rpartition(":")[2] <= str(last)]
    return Simulated(
        first=first,
        last=last,
        users=count,
        changes=cast.changes,
        outages=outages,
        received=len(of_span),
        duplicates=received.total() - len(received),
        audit=report,
    )


async def _play(
    settings: Settings,
    conninfo: str,
    connection: Connection,
    cast: _Cast,
    stops: list[datetime],
    changes_a_day: float,
    received: Counter[str],
    tell: Callable[[str], None],
) -> None:
    clock = Clock(stops[0])
    async with (
        receiver(received) as url,
        connect_async(conninfo, settings, "bdaysched simulate") as asynchronous,
        connect_broker(settings, conninfo) as broker,
        open_pool(conninfo, settings, "bdaysched run-worker") as pool,
        connect_channel(replace(settings, delivery_url=url)) as channel,
    ):
        worker = Worker(settings, conninfo, pool, channel, clock)
        working = asyncio.create_task(worker.run())
        stage = _Stage(
            settings, ruling.of(settings), clock, connection, asynchronous, broker, worker, working
        )
        month = None
        for stop, until in zip(stops, [*stops[1:], stops[-1]], strict=True):
            if (stop.year, stop.month) != month:
                month = (stop.year, stop.month)
                months.create_locked(connection, stop, _MONTHS_AHEAD)
                tell(f"{stop:%B %Y}")
            # Of an outage, which is a longer step, people know nothing.
            cast.change(stop, changes_a_day * (until - stop) / _DAY)
            await _schedule(stage, stop)
            if until - stop <= _LONGEST_STEP:
                for instant in simulation.due_instants(connection, stop, until):
                    await _dispatch(stage, instant)
        worker.stop()
        await working


async def _schedule(stage: _Stage, now: datetime) -> None:
    stage.clock.move_to(now)
    horizon = timedelta(seconds=stage.settings.schedule_horizon)
    began = datetime.now(UTC)
    plan(stage.connection, now, horizon, stage.rules)
    simulation.date_messages(stage.connection, began, now)
    await recover(stage.asynchronous, stage.broker, stage.settings, now)
    await _dispatch(stage, now)


async def _dispatch(stage: _Stage, now: datetime) -> None:
    stage.clock.move_to(now)
    done = await dispatch(stage.asynchronous, stage.broker, stage.settings, now)
    stage.queued += done.queued
    settled = asyncio.create_task(stage.worker.settled(stage.queued))
    await asyncio.wait({settled, stage.working}, return_when=asyncio.FIRST_COMPLETED)
    if stage.working.done():
        settled.cancel()
        stage.working.result()


def _stops(rng: random.Random, start: datetime, end: datetime, outages: int) -> Iterator[datetime]:
    """Yield the instants at which `schedule` runs; a gap longer than a step is an outage."""
    minutes = int(_LONGEST_STEP / timedelta(minutes=1))
    out = sorted(start + (end - start) * rng.random() for _ in range(outages))
    now = start
    while now < end:
        yield now
        if out and now >= out[0]:
            out.pop(0)
            now += _LONGEST_STEP + (_LONGEST_OUTAGE - _LONGEST_STEP) * rng.random()
        else:
            now += timedelta(minutes=rng.randint(1, minutes))
    yield end


class _Cast:
    """The people, and what happens to them."""

    def __init__(
        self, connection: Connection, rng: random.Random, count: int, now: datetime
    ) -> None:
        self.changes = 0
        self._connection = connection
        self._rng = rng
        self._zones = sorted(zones.names())
        self._owed = 0.0
        # Hard cases among all sorts, and newcomers in reserve.
        edges = people(count // 5, 1, Profile.EDGES)
        mixed = [
            (key, user._replace(timezone=rng.choice(self._zones)) if index % 2 else user)
            for index, (key, user) in enumerate(people(2 * count, 1, Profile.MIXED))
        ]
        present = edges + mixed[: count - len(edges)]
        self._newcomers = mixed[count - len(edges) :]
        self._ids = [key for key, _ in present]
        self._add(present, now)

    def change(self, now: datetime, number: float) -> None:
        """Let about that many things happen to people at now."""
        self._owed += number
        while self._owed >= 1:
            self._owed -= 1
            self.changes += 1
            self._happen(self._rng.choice(self._ids), now)

    def _happen(self, user_id: UUID, now: datetime) -> None:
        what = self._rng.choice(("add", "move", "move", "date", "today", "name", "delete"))
        if what == "add" and self._newcomers:
            key, user = self._newcomers.pop()
            self._ids.append(key)
            self._add([(key, user._replace(birthday_date=f"{now:%m-%d}"))], now)
            return
        change = {
            "move": {"timezone": self._rng.choice(self._zones)},
            "date": {"birthday_date": f"{now + _DAY * self._rng.randint(-3, 3):%m-%d}"},
            "today": {"birthday_date": f"{now:%m-%d}"},
        }.get(what, {"first_name": f"Changed on {now:%d %B}"})
        with self._connection.transaction():
            simulation.change_user(
                self._connection, user_id, now, **change, delete=what == "delete"
            )
            simulation.date_users(self._connection, [user_id], now, added=False)

    def _add(self, found: list[tuple[UUID, User]], now: datetime) -> None:
        with self._connection.transaction():
            users.add_with_ids(self._connection, found)
            simulation.date_users(self._connection, [key for key, _ in found], now, added=True)
