"""The whole job on a private database: one day around the world, with a receiver of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db import monitoring, simulation
from birthday_cli.db.connect import connect_to, database, open_pool
from birthday_cli.db.monitoring import ZoneReport as ZoneReport
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.sample import PLACES
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.looking.status import Status, status
from birthday_cli.pipeline.partitions.survey import MonthSeen, survey
from birthday_cli.pipeline.plan import plan
from birthday_cli.pipeline.rehearsal.stage import private_folder, receiver
from birthday_cli.pipeline.schedule import Step, schedule
from birthday_cli.pipeline.schema.migrate import migrate
from birthday_cli.pipeline.users.seed import seed

_ON_TIME = timedelta(minutes=1)
_RANDOM_SEED = 9
_DUE = frozenset({Step.RECOVER, Step.DISPATCH})
# A date begins somewhere 14 hours before it does in UTC.
_FIRST_MORNING = timedelta(hours=14)


@dataclass(frozen=True)
class Report:
    """What the day came to. `received` and `duplicates` are counted by the receiver, by key."""

    day: date
    zones: list[ZoneReport]
    received: int
    duplicates: int
    database: str | None

    @property
    def complete(self) -> bool:
        """Whether everything planned was delivered, once, and on time."""
        planned = sum(zone.planned for zone in self.zones)
        on_time = sum(zone.on_time for zone in self.zones)
        return self.duplicates == 0 and planned == on_time == self.received


class Played(NamedTuple):
    """The report of a day, and how things stood at its end: the status, and the months."""

    report: Report
    end: datetime
    status: Status
    months: list[MonthSeen]


def demo(
    settings: Settings, today: date, users: int, keep: bool, tell: Callable[[str], None]
) -> Played:
    """Play `today` for that many invented users, half of whom celebrate, and report it by zone.

    The clock is set to each zone's 9:00 in turn; database, queue, worker and HTTP are real. `tell`
    gets a line for each step. With `keep` the database stays, in the folder that the report names.
    """
    with private_folder(keep) as folder:
        url = f"embedded:{folder}"
        rules = ruling.of(settings)
        settings = replace(
            settings, database_url=url, broker_url="postgres:", redis_url="", delivery_secret=""
        )
        clock_starts = datetime.combine(today, time(9), UTC) - _FIRST_MORNING - timedelta(hours=1)
        with database(settings) as conninfo:
            tell("migrate: " + _counted(len(migrate(settings, clock_starts).migrations), "file"))
            birthday = f"{today:%m-%d}"
            celebrating = {zone: birthday for zone, _, _ in PLACES}
            seeded = seed(settings, clock_starts, users, _RANDOM_SEED, Profile.MIXED, celebrating)
            tell("seed: " + _counted(seeded.users, "user"))
            with connect_to(conninfo, settings, "bdaysched demo") as connection:
                horizon = timedelta(seconds=settings.schedule_horizon)
                plan(connection, clock_starts, horizon, rules)
                mornings = _mornings(monitoring.report_day(connection, today, _ON_TIME))
                end = max(mornings, default=clock_starts)
                # Somewhere it is still yesterday, or tomorrow already; they are on time, too.
                others = simulation.due_instants(connection, clock_starts, end)
                mornings = {other: [] for other in others} | mornings
                received = asyncio.run(_play(settings, conninfo, mornings, tell))
                zones = monitoring.report_day(connection, today, _ON_TIME)
            found = status(settings, end)
            months = survey(settings, end)
    # In the east the next morning comes before this one has been everywhere.
    of_today = {key: count for key, count in received.items() if key.endswith(f":{today}")}
    report = Report(
        day=today,
        zones=zones,
        received=len(of_today),
        duplicates=received.total() - len(received),
        database=url if keep else None,
    )
    return Played(report, end, found, months)


def _mornings(zones: list[ZoneReport]) -> dict[datetime, list[str]]:
    mornings: dict[datetime, list[str]] = {}
    for zone in zones:
        if zone.send_time:
            mornings.setdefault(zone.send_time, []).append(zone.timezone)
    return mornings


async def _play(
    settings: Settings,
    conninfo: str,
    mornings: dict[datetime, list[str]],
    tell: Callable[[str], None],
) -> Counter[str]:
    received: Counter[str] = Counter()
    async with (
        receiver(received) as url,
        open_pool(conninfo, settings, "bdaysched run-worker") as pool,
        connect_channel(replace(settings, delivery_url=url)) as channel,
    ):
        for morning, places in sorted(mornings.items()):
            clock = Clock(morning)
            # All of it is planned already, and looking for more would take most of the time.
            scheduled = await asyncio.to_thread(schedule, settings, clock.now(), _DUE)
            queued = scheduled.dispatched.queued if scheduled.dispatched else 0
            delivered = await Worker(settings, conninfo, pool, channel, clock).run(until_empty=True)
            where = ", ".join(places) or "places with another date"
            tell(
                f"{morning:%d %b %H:%M}Z is 9:00 in {where}:"
                f" {queued} queued, {delivered.sent} delivered"
            )
    return received


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
