"""Connections to the database: what their sessions are like, and what silence does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_async, connect_to, open_pool, within
from birthday_cli.errors import DatabaseUnreachable
from tests.servers.proxy import Proxy, proxy

PATIENCE = 60


@pytest.fixture
async def between(empty_database: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy to the database, and the URL that goes through it."""
    async with proxy(int(conninfo_to_dict(empty_database)["port"] or 0)) as made:
        yield made, make_conninfo(empty_database, port=made.port)


async def _show(connection: psycopg.AsyncConnection, *names: str) -> list[str]:
    cursor = await connection.execute(
        "SELECT current_setting(name) FROM unnest(%s::text[]) AS name", [list(names)]
    )
    return [value for (value,) in await cursor.fetchall()]


async def test_both_sides_find_out_in_half_a_minute_that_the_other_has_gone(
    empty_database: str,
) -> None:
    async with connect_async(empty_database, Settings()) as connection:
        ours = connection.info.get_parameters()
        assert ours["keepalives_idle"] == "10"
        assert ours["keepalives_interval"] == "5"
        assert ours["keepalives_count"] == "3"
        assert ours["tcp_user_timeout"] == "20000"
        theirs = ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"]
        assert await _show(connection, *theirs, "tcp_user_timeout") == ["10", "5", "3", "20000"]


async def test_the_url_has_a_say_but_not_in_what_the_program_relies_on(
    empty_database: str,
) -> None:
    url = make_conninfo(
        empty_database,
        connect_timeout=7,
        keepalives_idle=99,
        options="-c jit=on -c statement_timeout=1234 -c TimeZone=Asia/Tokyo -c work_mem=5MB",
    )
    async with connect_async(url, Settings(), "us", {"work_mem": "6MB"}) as connection:
        ours = connection.info.get_parameters()
        assert ours["connect_timeout"] == "7"
        assert ours["keepalives_idle"] == "99"
        assert await _show(
            connection, "jit", "statement_timeout", "TimeZone", "work_mem", "application_name"
        ) == ["on", "1234ms", "UTC", "5MB", "us"]


async def test_sessions_do_not_compile_and_take_the_options_that_they_are_given(
    empty_database: str,
) -> None:
    odd = r"a b\c 'd'"
    options = {
        "plan_cache_mode": "force_generic_plan",
        "search_path": '"$user", public',
        "x.y": odd,
    }
    wanted = ["off", "UTC", "force_generic_plan", '"$user", public', odd]
    names = ["jit", "TimeZone", "plan_cache_mode", "search_path", "x.y"]
    async with connect_async(empty_database, Settings(), options=options) as connection:
        assert await _show(connection, *names) == wanted
    async with (
        open_pool(empty_database, Settings(), options=options) as pool,
        pool.connection() as connection,
    ):
        assert await _show(connection, *names) == wanted
    with connect_to(empty_database, Settings()) as plain:
        assert plain.execute("SHOW jit").fetchone() == ("off",)


async def test_a_statement_that_the_network_swallowed_is_given_up_in_time(
    between: tuple[Proxy, str],
) -> None:
    network, url = between
    async with connect_async(url, Settings()) as connection:
        async with asyncio.timeout(PATIENCE), within(connection, PATIENCE):
            await connection.execute("SELECT 1")
        network.go_silent()
        # No longer than psycopg would wait for the end of a statement that it cancels.
        async with asyncio.timeout(5):
            with pytest.raises(psycopg.OperationalError, match=r"^no answer within 0.1 s$"):
                async with within(connection, 0.1):
                    await connection.execute("SELECT 1")
        assert connection.closed


async def test_what_cannot_even_be_sent_is_given_up_in_time(between: tuple[Proxy, str]) -> None:
    network, url = between
    async with connect_async(url, Settings()) as connection:
        network.go_silent()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(psycopg.OperationalError, match="no answer within"):
                async with within(connection, 0.1), connection.transaction():
                    await connection.execute("SELECT length(%s)", ["x" * 30_000_000])


async def test_a_server_that_works_for_too_long_is_given_up_too(empty_database: str) -> None:
    async with connect_async(empty_database, Settings()) as connection:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(psycopg.OperationalError, match="no answer within"):
                async with within(connection, 0.1):
                    await connection.execute("SELECT pg_sleep(%s)", [PATIENCE])


async def test_a_block_in_time_keeps_its_connection_and_its_own_errors(
    empty_database: str,
) -> None:
    async with connect_async(empty_database, Settings()) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with within(connection, 0.05):
                await connection.execute("SELECT 1 / 0")
        await asyncio.sleep(0.1)
        cursor = await connection.execute("SELECT 2")
        assert await cursor.fetchone() == (2,)


async def test_a_task_that_is_cancelled_on_a_silent_connection_ends(
    between: tuple[Proxy, str],
) -> None:
    network, url = between
    async with connect_async(url, Settings()) as connection:
        started = asyncio.Event()

        async def work() -> None:
            async with within(connection, 0.2):
                started.set()
                await connection.execute("SELECT 1")

        network.go_silent()
        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        # Its request to end the statement goes the same way, and is refused.
        await network.cut()
        with suppress(asyncio.CancelledError, psycopg.OperationalError):
            await asyncio.wait_for(task, PATIENCE)
        assert connection.closed


async def test_silence_is_the_database_being_unreachable(between: tuple[Proxy, str]) -> None:
    network, url = between

    async def ask() -> None:
        async with connect_async(url, Settings()) as connection:
            network.go_silent()
            async with within(connection, 0.1):
                await connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnreachable, match=r"no answer within 0\.1 s\. Check DATABASE_URL"):
        await ask()


@pytest.mark.parametrize("way", ["silent", "cut"])
async def test_the_pool_has_a_fresh_connection_after_a_break(
    between: tuple[Proxy, str], way: str
) -> None:
    network, url = between
    async with (
        asyncio.timeout(PATIENCE),
        open_pool(url, Settings(database_pool_max=1)) as pool,
    ):
        async with pool.connection() as connection:
            before = connection.info.backend_pid
            await connection.execute("SELECT 1")
        network.go_silent() if way == "silent" else await network.cut()
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection() as connection, within(connection, 0.1):
                await connection.execute("SELECT 1")
        await network.recover()
        async with pool.connection() as connection, within(connection, PATIENCE):
            assert connection.info.backend_pid != before
            cursor = await connection.execute("SELECT 3")
            assert await cursor.fetchone() == (3,)
