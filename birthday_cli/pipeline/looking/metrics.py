"""The database's figures for Prometheus, for a textfile collector.

Names follow those of `telemetry/metrics`, which are a worker's own.
"""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from psycopg import errors

from birthday_cli import __version__
from birthday_cli.config import Settings
from birthday_cli.db import measuring, migrations_check, monitoring
from birthday_cli.db.cache import Cache
from birthday_cli.db.connect import Connection, connect_to, database, explain
from birthday_cli.errors import BdayschedError, DatabaseUnreachable, UsageError, redact
from birthday_cli.pipeline.looking import monitor
from birthday_cli.pipeline.partitions.runway import runway
from birthday_cli.pipeline.queue import ask_broker

_LATENESS_BUCKETS = (1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0)
_READABLE_BY_ALL = 0o644


class Figures(Collector):
    """What was found out. `problem` is what kept the rest from it: the database, then another."""

    def __init__(self, families: list[Metric], problem: BdayschedError | None) -> None:
        self._families = families
        self.problem = problem

    def collect(self) -> Iterable[Metric]:
        """Return the figures, for prometheus_client."""
        return self._families

    def text(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=True)
        registry.register(self)
        return generate_latest(registry)


def measure(settings: Settings, now: datetime) -> Figures:
    """Return the figures of the database and the queue at now.

    What cannot be found out is left out. A database that cannot be reached leaves
    `bdaysched_database_up` 0 and little more, a broker `bdaysched_broker_up` 0 and no depth; the
    time of success is there only when every question to the database was answered. What is
    expensive may be `monitor.FRESH_FOR` old, where Redis keeps it. Raises UsageError for a setting
    that is wrong.
    """
    inquiry = _Inquiry(settings, now)
    families = list(inquiry.families())
    return Figures(families, inquiry.problem)


def write(figures: Figures, path: Path) -> None:
    """Put the figures into path at once, readable by all: never a part of them.

    Raises UsageError when the folder cannot be written.
    """
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(figures.text())
                os.fchmod(file.fileno(), _READABLE_BY_ALL)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise UsageError(
            f"cannot write {path}: {problem.strerror}. Name a file in a folder that this account"
            " may write"
        ) from problem


class _Inquiry:
    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._cache = Cache(settings)
        self.problem: BdayschedError | None = None

    def families(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "bdaysched_build",
            "1; the labels are the versions of the program and of Python.",
            {"version": __version__, "python": platform.python_version()},
        )
        try:
            with (
                database(self._settings) as conninfo,
                connect_to(conninfo, self._settings, "bdaysched metrics") as connection,
            ):
                measuring.be_brief(connection)
                found = list(self._of_database(connection, conninfo))
                found += self._of_broker(conninfo)
        except DatabaseUnreachable as problem:
            self.problem = problem
            yield _database_up(0)
            if self._settings.broker_url.startswith("amqp"):
                yield from self._of_broker("")
            return
        yield _database_up(1)
        yield from found
        if not self.problem:
            yield GaugeMetricFamily(
                "bdaysched_metrics_last_success_timestamp_seconds",
                "When every figure of the database was last found, in seconds since 1970.",
                time.time(),
            )

    def _of_database(self, connection: Connection, conninfo: str) -> Iterator[Metric]:
        questions: tuple[Callable[[Connection], Iterable[Metric]], ...] = (
            self._migrations,
            self._today,
            self._planned,
            self._oldest,
            self._lateness,
            self._under_way,
            self._months,
            self._processes,
        )
        for question in questions:
            try:
                yield from list(question(connection))
            except (psycopg.Error, BdayschedError) as problem:
                if connection.closed:
                    raise
                told = _told(problem, conninfo)
                self.problem = self.problem or told

    def _kept(self, name: str, ask: Callable[[], Any]) -> Any:
        return self._cache.get(
            monitor.key(self._settings, f"metrics {name}"), monitor.FRESH_FOR, ask
        )

    def _migrations(self, connection: Connection) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "bdaysched_pending_migrations",
            "Migrations that the program carries and the database has not had.",
            len(migrations_check.pending(connection)),
        )

    def _today(self, connection: Connection) -> Iterator[Metric]:
        today = GaugeMetricFamily(
            "bdaysched_messages_today",
            "Messages whose send time is on this day in UTC, by status; scheduled and sent are"
            " estimated from a sample where there are many.",
            labels=["status"],
        )
        counts: dict[str, float] = self._kept(
            "messages today", lambda: measuring.messages_today(connection, self._now)
        )
        for status, count in counts.items():
            today.add_metric([status], count)
        yield today

    def _planned(self, connection: Connection) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "bdaysched_messages_planned",
            "Messages that are planned for the next 24 hours; estimated where there are many.",
            self._kept("planned", lambda: measuring.messages_planned(connection, self._now)),
        )

    def _oldest(self, connection: Connection) -> Iterator[Metric]:
        due = monitoring.oldest_unsent(connection, self._now)
        yield GaugeMetricFamily(
            "bdaysched_oldest_unsent_age_seconds",
            "How long the message has been due that has waited longest; 0 when none waits.",
            (self._now - due).total_seconds() if due else 0.0,
        )

    def _lateness(self, connection: Connection) -> Iterator[Metric]:
        found = measuring.Lateness(
            *self._kept(
                "lateness",
                lambda: list(measuring.lateness_today(connection, self._now, _LATENESS_BUCKETS)),
            )
        )
        bounds = [*map(str, _LATENESS_BUCKETS), "+Inf"]
        counts = [count for _, count in found.up_to]
        yield HistogramMetricFamily(
            "bdaysched_lateness_today_seconds",
            "Time from the scheduled send time of a message of this day in UTC until it was sent;"
            " estimated where there are many. It begins again at midnight.",
            list(zip(bounds, counts, strict=True)),
            found.sum,
        )

    def _under_way(self, connection: Connection) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "bdaysched_messages_under_way",
            "Messages under way, by where they are; a worker that died leaves sending_past_lease,"
            " held ones wait for a person.",
            labels=["state"],
        )
        for state, count in measuring.under_way(connection)._asdict().items():
            if isinstance(count, int):
                family.add_metric([state], count)
        yield family

    def _months(self, connection: Connection) -> Iterator[Metric]:
        found = runway(connection, self._settings, self._now)
        yield GaugeMetricFamily(
            "bdaysched_runway_seconds",
            "Time until the unbroken months of partitions end.",
            (found.reaches - self._now).total_seconds(),
        )
        yield GaugeMetricFamily(
            "bdaysched_missing_partitions",
            "Partitions that lack until a month after what planning can need.",
            len(found.missing),
        )

    def _processes(self, connection: Connection) -> Iterator[Metric]:
        workers = GaugeMetricFamily(
            "bdaysched_workers",
            "Workers, by what their heartbeats say: live; stale, silent since less than a day.",
            labels=["state"],
        )
        for state, count in measuring.workers(connection)._asdict().items():
            workers.add_metric([state], count)
        yield workers
        last = measuring.last_run(connection)
        if last is not None:
            yield GaugeMetricFamily(
                "bdaysched_schedule_last_success_timestamp_seconds",
                "When a run of schedule last ended well, in seconds since 1970; absent while the"
                " only host that runs it runs it.",
                last,
            )

    def _of_broker(self, conninfo: str) -> Iterator[Metric]:
        depth, _ = asyncio.run(ask_broker(self._settings, conninfo, lambda broker: broker.depth()))
        yield GaugeMetricFamily(
            "bdaysched_broker_up",
            "1 if the broker answered, else 0; the database, where that is the broker.",
            depth is not None,
        )
        if depth:
            yield GaugeMetricFamily(
                "bdaysched_queue_ready", "References in the queue that nobody has.", depth.ready
            )
            yield GaugeMetricFamily(
                "bdaysched_dead_letters", "References that were put aside.", depth.dead
            )


def _database_up(value: float) -> Metric:
    return GaugeMetricFamily(
        "bdaysched_database_up", "1 if the database could be reached, else 0.", value
    )


def _told(problem: psycopg.Error | BdayschedError, conninfo: str) -> BdayschedError:
    """Return what kept one figure from being found, where the others may have been."""
    if isinstance(problem, errors.QueryCanceled):
        told = BdayschedError("the database took too long: see `bdaysched monitor locks`")
    elif isinstance(problem, psycopg.Error):
        told = explain(problem, conninfo)
    else:
        told = problem
    missing = type(told)(f"some figures are missing: {redact(str(told))}")
    missing.detail = told.detail
    return missing
