"""One screen for a person on call: what is wrong, and how things are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from birthday_cli.brokers.base import Depth
from birthday_cli.config import Settings
from birthday_cli.db import cache as redis
from birthday_cli.db import heartbeats, migrations_check, migrations_record, monitoring
from birthday_cli.db.cache import Cache
from birthday_cli.db.connect import Connection, connect_async, connect_to, database
from birthday_cli.db.heartbeats import Heartbeat as Heartbeat
from birthday_cli.db.monitoring import Lateness
from birthday_cli.db.pausing import Pause, current
from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError, redact
from birthday_cli.pipeline.looking import monitor
from birthday_cli.pipeline.partitions.runway import Runway, runway
from birthday_cli.pipeline.queue import ask_broker

T = TypeVar("T")

# What is late by less, the next runs of `schedule` and the next batches bring on.
_LATE = timedelta(minutes=5)
_LATE_AT_P99 = 60.0
_TOO_MANY_FAILED = 0.01
# A screen comes at once, or says what it does without.
_LONGEST_QUESTION_MS = 10_000


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, in one line, and the command that mends it or tells more."""

    what: str
    command: str


@dataclass(frozen=True)
class Figures:
    """Where things stand. What could not be found out is None.

    `today` counts the messages of the day in UTC by status, `lateness` is theirs; `estimated` when
    they were read from a sample. `oldest_unsent` is when the one was due that waits longest.
    """

    schema: str | None = None
    pending_migrations: list[str] | None = None
    runway: Runway | None = None
    today: dict[str, int] | None = None
    estimated: bool = False
    lateness: Lateness | None = None
    oldest_unsent: datetime | None = None
    queue: Depth | None = None
    pause: Pause | None = None
    processes: list[Heartbeat] | None = None
    redis: str = "not set"


@dataclass(frozen=True)
class Status:
    """The verdict, which is good without problems; the worst comes first. And the figures."""

    problems: list[Problem]
    figures: Figures


def status(settings: Settings, now: datetime, cache: Cache | None = None) -> Status:
    """Return where things stand, as far as that can be found out.

    With a cache, what is expensive may be `monitor.FRESH_FOR` old. Raises DatabaseUnreachable, and
    UsageError for a setting that is wrong.
    """
    with (
        database(settings) as conninfo,
        connect_to(conninfo, settings, "bdaysched status") as connection,
    ):
        connection.execute(query("status/set_patience"))
        connection.execute(f"SET statement_timeout = {_LONGEST_QUESTION_MS}")
        return _Inquiry(settings, conninfo, connection, now, cache).status()


def is_late(oldest: datetime | None, now: datetime) -> bool:
    """Return whether what was due at oldest waits for longer at now than it should."""
    return oldest is not None and now - oldest > _LATE


def no_worker(processes: list[Heartbeat]) -> Problem | None:
    """Return the problem that no worker lives, while messages are late; None if one does."""
    if all(each.stale for each in processes if each.kind == "worker"):
        return Problem("no worker runs, and messages are due", "bdaysched run-worker")
    return None


def silent_worker(processes: list[Heartbeat]) -> Problem | None:
    """Return the problem that a worker fell silent, None if none did."""
    silent = [
        f"{each.host} {each.pid}" for each in processes if each.kind == "worker" and each.stale
    ]
    if not silent:
        return None
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return Problem(f"worker {silent[0]}{more} fell silent", "bdaysched monitor workers")


def no_schedule(processes: list[Heartbeat]) -> Problem | None:
    """Return the problem that `schedule` does not run, or fails; None if it does its work."""
    schedulers = [each for each in processes if each.kind == "scheduler"]
    if all(each.stale for each in schedulers):
        when = max((each.last_beat_at for each in schedulers), default=None)
        since = f"since {when:%Y-%m-%d %H:%M}Z" if when else "in the last day"
        return Problem(f"schedule has not run {since}", "bdaysched schedule")
    if all(each.failed for each in schedulers if not each.stale):
        last = max(schedulers, key=lambda each: each.last_beat_at)
        return Problem(f"schedule on {last.host} {last.state}", "bdaysched schedule")
    return None


class _Inquiry:
    def __init__(
        self,
        settings: Settings,
        conninfo: str,
        connection: Connection,
        now: datetime,
        cache: Cache | None,
    ) -> None:
        self._settings = settings
        self._conninfo = conninfo
        self._connection = connection
        self._now = now
        self._cache = cache or Cache(Settings())
        self._problems: list[Problem] = []

    def status(self) -> Status:
        schema = self._ask("the schema", self._schema)
        pending = schema and schema[1]
        if schema and not schema[0]:
            self._found("the schema is missing", "bdaysched migrate")
            depth = self._queue() if self._settings.broker_url.startswith("amqp") else None
            return Status(self._problems, Figures(queue=depth, redis=redis.state(self._settings)))
        if pending:
            self._found(f"{', '.join(pending)} not applied", "bdaysched migrate")
        pause = self._ask("a pause", lambda: asyncio.run(self._pause()))
        if pause:
            until = f"until {pause.until:%Y-%m-%d %H:%M}Z" if pause.until else "without end"
            self._found(f"{pause.by} paused all workers {until}", "bdaysched queue resume")
        depth = self._queue()
        processes = self._ask("the workers", lambda: heartbeats.known(self._connection))
        oldest = self._ask(
            "the oldest message", lambda: monitoring.oldest_unsent(self._connection, self._now)
        )
        self._judge_processes(processes, oldest)
        today = self._ask("today's messages", self._today)
        counts, estimated = today or (None, False)
        lateness = self._ask("the lateness", self._lateness)
        self._judge_today(counts, lateness)
        months = self._ask(
            "the months", lambda: runway(self._connection, self._settings, self._now)
        )
        if months and months.problem:
            what, _, command = months.problem.rpartition(": run ")
            self._found(what, command.strip("`"))
        if depth and depth.dead:
            self._found(f"{depth.dead:,} dead letters", "bdaysched queue dead")
        told = redis.state(self._settings)
        if told not in ("ok", "not set"):
            self._found(f"Redis is {told}", "check REDIS_URL, and that it runs")
        return Status(
            self._problems,
            Figures(
                schema[0] if schema else None,
                pending,
                months,
                counts,
                estimated,
                lateness,
                oldest,
                depth,
                pause,
                processes,
                told,
            ),
        )

    def _found(self, what: str, command: str) -> None:
        self._problems.append(Problem(what, command))

    def _ask(self, what: str, question: Callable[[], T]) -> T | None:
        """Return the answer; None, and a problem is noted, when the database refuses it."""
        try:
            return question()
        except (errors.UndefinedTable, errors.UndefinedColumn):
            # That migrations are pending is said already.
            return None
        except psycopg.Error as problem:
            if self._connection.closed:
                raise
            said = redact(str(problem)).strip().partition("\n")[0]
            self._found(f"{what} cannot be told: {said}", "bdaysched monitor locks")
        except BdayschedError as problem:
            said, _, _ = str(problem).partition(": ")
            self._found(said, "bdaysched schema status")
        return None

    def _schema(self) -> tuple[str | None, list[str]]:
        applied = migrations_record.applied(self._connection)
        if not applied:
            return None, []
        pending = [migration.file for migration in migrations_check.pending(self._connection)]
        return max(applied), pending

    def _queue(self) -> Depth | None:
        depth, problem = asyncio.run(
            ask_broker(self._settings, self._conninfo, lambda broker: broker.depth())
        )
        if problem:
            self._found(str(problem), "bdaysched queue status")
        return depth

    async def _pause(self) -> Pause | None:
        async with connect_async(self._conninfo, self._settings, "bdaysched status") as connection:
            return await current(connection)

    def _today(self) -> tuple[dict[str, int], bool]:
        """Return today's messages by status, and whether some of the counts are estimated."""
        table = monitoring.unpacked(
            self._cache.get(
                monitor.key(self._settings, "messages"),
                monitor.FRESH_FOR,
                lambda: monitoring.packed(
                    monitoring.table(self._connection, "messages", self._settings, self._now)
                ),
            )
        )
        of_today = next(row for row in table.rows if row[0] == self._now.date())
        named = dict(zip(table.columns, of_today, strict=True))
        counts = {name.upper(): n for name, n in named.items() if isinstance(n, int) and n}
        return counts, named["how"] == "estimated"

    def _lateness(self) -> Lateness:
        midnight = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
        found: list[Any] = self._cache.get(
            monitor.key(self._settings, "lateness of today"),
            monitor.FRESH_FOR,
            lambda: list(monitoring.lateness_of_day(self._connection, midnight)),
        )
        return Lateness(*found)

    def _judge_processes(self, processes: list[Heartbeat] | None, oldest: datetime | None) -> None:
        if processes is None:
            return
        late = is_late(oldest, self._now)
        problems = [no_worker(processes) if late else None, no_schedule(processes)]
        if late:
            problems.append(
                Problem(
                    f"messages wait that were due at {oldest:%Y-%m-%d %H:%M}Z",
                    "bdaysched monitor stuck",
                )
            )
        problems.append(silent_worker(processes))
        self._problems += [problem for problem in problems if problem]

    def _judge_today(self, counts: dict[str, int] | None, lateness: Lateness | None) -> None:
        failed = (counts or {}).get("FAILED", 0)
        tried = (counts or {}).get("SENT", 0) + failed
        if failed > _TOO_MANY_FAILED * tried:
            self._found(f"{failed:,} messages of today FAILED", "bdaysched audit")
        if lateness and lateness.p99 is not None and lateness.p99 > _LATE_AT_P99:
            self._found(
                f"1 in 100 messages of today was late by {lateness.p99:,.0f} s or more",
                "bdaysched monitor lateness",
            )
