"""What cron calls every minute: plan, recover and dispatch, once, by one run at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_async, connect_to, database
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.domain import rules as ruling
from birthday_cli.errors import MissingPartition
from birthday_cli.pipeline.beating import a_run
from birthday_cli.pipeline.dispatch import Dispatched, dispatch
from birthday_cli.pipeline.partitions.runway import lengthen
from birthday_cli.pipeline.plan import Planned, plan
from birthday_cli.pipeline.recover import Recovered, recover


class Step(Enum):
    """What a run may be limited to."""

    RECOVER = auto()
    PLAN = auto()
    DISPATCH = auto()


ALL_STEPS = frozenset(Step)


@dataclass(frozen=True)
class Scheduled:
    """What one run did; None for a step that was not asked for. `made` names new partitions."""

    made: list[str] = field(default_factory=list)
    recovered: Recovered | None = None
    planned: Planned | None = None
    dispatched: Dispatched | None = None


def schedule(
    settings: Settings,
    now: datetime,
    steps: frozenset[Step] = ALL_STEPS,
    wait: float = 0,
    full: bool = False,
    dry_run: bool = False,
) -> Scheduled:
    """Run steps in the order plan, recover, dispatch, so that what is brought back goes out.

    Before planning, the months that it can need are made where they lack, if the role may. `full`
    plans as if every user had changed; `dry_run` only counts what would be planned. A broker that
    cannot be reached does not keep messages from being planned, and a month that is missing keeps
    nothing from being queued. Raises Locked if another run is under way for longer than `wait`
    seconds, MissingPartition at the end when a month is not there, and what connecting raises.
    """
    rules = ruling.of(settings)
    horizon = timedelta(seconds=settings.schedule_horizon)
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched schedule") as connection,
        advisory_lock(connection, Lock.SCHEDULE, wait=wait),
        a_run(connection, dry_run) as run,
    ):
        if dry_run:
            return Scheduled(planned=plan(connection, now, horizon, rules, full, dry_run=True))
        made: list[str] = []
        planned = lacking = None
        if Step.PLAN in steps:
            made = lengthen(connection, settings, now)
            try:
                planned = plan(connection, now, horizon, rules, full)
            except MissingPartition as problem:
                lacking = problem
        recovered = dispatched = None
        if steps & {Step.RECOVER, Step.DISPATCH}:
            recovered, dispatched = asyncio.run(_queue(settings, conninfo, now, steps))
            run.queued = dispatched.queued if dispatched else 0
        if lacking:
            raise lacking
        return Scheduled(made, recovered, planned, dispatched)


async def _queue(
    settings: Settings, conninfo: str, now: datetime, steps: frozenset[Step]
) -> tuple[Recovered | None, Dispatched | None]:
    # A connection of its own: the lock stays on the one that took it.
    async with (
        connect_async(conninfo, settings, "bdaysched schedule") as connection,
        connect_broker(settings, conninfo) as broker,
    ):
        recovered = dispatched = None
        if Step.RECOVER in steps:
            recovered = await recover(connection, broker, settings, now)
        if Step.DISPATCH in steps:
            dispatched = await dispatch(connection, broker, settings, now)
        return recovered, dispatched
