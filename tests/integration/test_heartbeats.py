"""Workers and schedulers say that they live, and nothing that keeps them from it keeps them up."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import heartbeats
from birthday_cli.db.connect import open_pool
from birthday_cli.db.heartbeats import Heartbeat
from birthday_cli.errors import BrokerUnreachable
from birthday_cli.pipeline import beating
from birthday_cli.pipeline.schedule import schedule
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, add_message
from tests.working import until as _until


@asynccontextmanager
async def beats(settings: Settings, delivered: Delivered | None = None) -> AsyncIterator[None]:
    counts = delivered or Delivered()
    async with (
        open_pool(settings.database_url, settings) as pool,
        beating.beating(pool, lambda: counts, lambda: "delivering"),
    ):
        yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        await _until(condition)


async def known(connection: psycopg.Connection) -> list[Heartbeat]:
    """Return the rows, as soon as there are any."""
    await until(lambda: bool(heartbeats.known(connection)))
    return heartbeats.known(connection)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beating, "INTERVAL", 0.02)


async def test_a_worker_has_a_row_while_it_lives(
    settings: Settings, connection: psycopg.Connection
) -> None:
    async with beats(settings, Delivered(sent=7, retrying=2, failed=1)):
        (row,) = await known(connection)
        assert (row.kind, row.host, row.pid) == ("worker", socket.gethostname(), os.getpid())
        assert (row.state, row.done, row.failed, row.stale) == ("delivering", 7, 3, False)
    assert heartbeats.known(connection) == []


@pytest.mark.usefixtures("quickly")
async def test_beats_move_on_and_the_age_stays(
    settings: Settings, connection: psycopg.Connection
) -> None:
    async with beats(settings):
        (first,) = await known(connection)
        await until(lambda: heartbeats.known(connection)[0].last_beat_at > first.last_beat_at)
        assert heartbeats.known(connection)[0].started_at == first.started_at


async def test_two_workers_of_one_host_have_a_row_each(
    settings: Settings, connection: psycopg.Connection
) -> None:
    async with beats(settings):
        await known(connection)
        async with beats(settings):
            await until(lambda: len(heartbeats.known(connection)) == 2)
        assert len(heartbeats.known(connection)) == 1


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE heartbeats",
        "ALTER TABLE heartbeats ADD CHECK (pid < 0)",
        "ALTER DATABASE {} SET default_transaction_read_only = on",
    ],
)
async def test_a_beat_that_is_refused_is_logged_once_and_harms_nobody(
    settings: Settings,
    connection: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
    harm: str,
) -> None:
    connection.execute(harm.format(f'"{connection.info.dbname}"'))
    tried = 0

    def doing() -> str:
        nonlocal tried
        tried += 1
        return "delivering"

    async with (
        open_pool(settings.database_url, settings) as pool,
        beating.beating(pool, Delivered, doing),
    ):
        await until(lambda: tried > 2)
    told = [record.message for record in caplog.records if record.name == beating.__name__]
    assert told == ["no heartbeat"]


async def test_a_locked_table_keeps_neither_a_worker_nor_its_end_waiting(
    settings: Settings, connection: psycopg.Connection
) -> None:
    """With one connection for all of its work, too."""
    alone = replace(settings, database_pool_max=1)
    with connection.transaction():
        connection.execute("LOCK TABLE heartbeats")
        async with (
            open_pool(settings.database_url, alone) as pool,
            asyncio.timeout(60),
            beating.beating(pool, Delivered, lambda: "delivering"),
        ):
            await asyncio.sleep(0)
            async with pool.connection() as work:
                await work.execute("SELECT 1")
    assert heartbeats.known(connection) == []


def test_runs_of_schedule_on_a_host_share_one_row(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection)
    for _ in range(2):
        schedule(settings, NOW)
        (row,) = heartbeats.known(connection)
        assert (row.kind, row.pid, row.stale) == ("scheduler", os.getpid(), False)
        assert row.state.startswith("done in ")
    assert row.done == 0
    add_message(connection)
    schedule(settings, NOW)
    assert heartbeats.known(connection)[0].done == 1


def test_a_dry_run_leaves_no_trace(settings: Settings, connection: psycopg.Connection) -> None:
    schedule(settings, NOW, dry_run=True)
    assert heartbeats.known(connection) == []


def test_a_run_that_failed_says_why_without_a_password(
    settings: Settings, connection: psycopg.Connection
) -> None:
    away = replace(settings, broker_url="amqp://me:geheim@127.0.0.1:1/")
    with pytest.raises(BrokerUnreachable):
        schedule(away, NOW)
    (row,) = heartbeats.known(connection)
    assert row.failed == 1
    assert row.state.startswith("failed: cannot reach the broker")
    assert "geheim" not in row.state


def test_schedule_runs_without_the_table(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DROP TABLE heartbeats")
    assert schedule(settings, NOW).dispatched


def test_who_died_is_stale_and_after_a_day_forgotten(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for number, ago in enumerate((timedelta(0), timedelta(hours=23), timedelta(hours=25))):
        connection.execute(
            "INSERT INTO heartbeats (id, kind, host, pid, version, stale_at, state)"
            " VALUES (gen_random_uuid(), 'worker', 'gone', %s, '0', now() - %s::interval, 'x')",
            (number, ago - timedelta(seconds=20)),
        )
    assert {row.pid for row in heartbeats.known(connection) if row.stale} == {1, 2}
    schedule(settings, NOW)
    assert {row.pid for row in heartbeats.known(connection) if row.kind == "worker"} == {0, 1}


def test_beats_are_written_in_place(connection: psycopg.Connection) -> None:
    """No index grows with them: an updated row stays on its page."""
    for _ in range(50):
        with beating.a_run(connection):
            pass
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'heartbeats'"
    ).fetchone()
    assert row
    assert row[1] >= 0.9 * row[0]
