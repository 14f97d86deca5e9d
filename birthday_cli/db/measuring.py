"""The database's figures for Prometheus: one query of sql/metrics for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from birthday_cli.db.connect import Connection
from birthday_cli.db.queries import query
from birthday_cli.db.queue import UnderWay

_ONE_DAY = timedelta(days=1)
# Whoever asks every minute keeps nobody waiting, and is not kept waiting.
_LONGEST_LOCK = "2s"
_LONGEST_QUESTION = "10s"


class Lateness(NamedTuple):
    """How late messages were sent: for each bound how many by less, and the sum, in seconds."""

    up_to: list[tuple[float, float]]
    sum: float


class Workers(NamedTuple):
    """How many workers there are: those that live, and those that fell silent within a day."""

    live: int
    stale: int


def be_brief(connection: Connection) -> None:
    """Let no question of this session take more than 10 s, nor wait 2 s for a lock."""
    connection.execute(
        query("metrics/be_brief"),
        {"lock_timeout": _LONGEST_LOCK, "statement_timeout": _LONGEST_QUESTION},
    )


def messages_today(connection: Connection, now: datetime) -> dict[str, float]:
    """Return how many messages of now's day in UTC are in each status; estimated if many."""
    rows: list[Any] = connection.execute(query("metrics/count_today"), _today(now)).fetchall()
    return dict(rows)


def messages_planned(connection: Connection, now: datetime) -> float:
    """Return how many messages are planned for the 24 hours from now on; estimated if many."""
    row: Any = connection.execute(query("metrics/count_planned"), {"now": now}).fetchone()
    return float(row[0])


def lateness_today(connection: Connection, now: datetime, bounds: Sequence[float]) -> Lateness:
    """Return how late the messages of now's day in UTC were sent; bounds are in seconds."""
    rows: list[Any] = connection.execute(
        query("metrics/measure_lateness"), {**_today(now), "bounds": list(bounds)}
    ).fetchall()
    return Lateness([(bound, count) for bound, count, _ in rows], rows[-1][2])


def under_way(connection: Connection) -> UnderWay:
    """Return how many rows are under way now, by the database's clock."""
    row: Any = connection.execute(query("queue/count_under_way")).fetchone()
    return UnderWay(*row)


def workers(connection: Connection) -> Workers:
    """Return how many workers there are."""
    row: Any = connection.execute(query("metrics/count_workers")).fetchone()
    return Workers(*row)


def last_run(connection: Connection) -> float | None:
    """Return when `schedule` last ended well, in seconds since 1970; None if none is known."""
    row: Any = connection.execute(query("metrics/find_last_run")).fetchone()
    found: float | None = row[0]
    return found


def _today(now: datetime) -> dict[str, datetime]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day_start": midnight, "day_end": midnight + _ONE_DAY}
