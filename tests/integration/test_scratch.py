"""Scratch databases come and go, also when a run is killed."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_to
from birthday_cli.db.scratch import replay, scratch
from birthday_cli.errors import BdayschedError
from tests.servers.postgres import PostgresServer

MAKE_ONE_AND_WAIT = """
import sys
from birthday_cli.config import Settings
from birthday_cli.db.scratch import scratch
with scratch(Settings(), sys.argv[1]) as database:
    print(database, flush=True)
    sys.stdin.read()
"""


def scratches(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT datname FROM pg_database WHERE datname LIKE 'bdaysched_scratch_%'"
    ).fetchall()
    return {name for (name,) in rows}


def name_of(conninfo: str) -> str:
    return str(conninfo_to_dict(conninfo)["dbname"])


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(postgres_server: PostgresServer) -> Settings:
    return Settings(database_url=postgres_server.url())


def test_a_scratch_database_is_empty_and_gone_afterwards(
    settings: Settings, server: psycopg.Connection
) -> None:
    before = scratches(server)
    with scratch(settings, settings.database_url) as made:
        assert scratches(server) - before == {name_of(made)}
        with psycopg.connect(made) as connection:
            count = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert count.fetchone() == (0,)
    assert scratches(server) == before


def test_it_is_dropped_when_the_work_fails_with_sessions_still_in_it(
    settings: Settings, server: psycopg.Connection
) -> None:
    before = scratches(server)
    with ExitStack() as sessions:

        def work() -> None:
            with scratch(settings, settings.database_url) as made:
                sessions.enter_context(psycopg.connect(made))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            work()
        assert scratches(server) == before


def test_the_next_run_drops_what_a_killed_one_left_and_nothing_in_use(
    settings: Settings, server: psycopg.Connection
) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", MAKE_ONE_AND_WAIT, settings.database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.stdout
    left = name_of(killed.stdout.readline())
    with scratch(settings, settings.database_url):
        assert left in scratches(server)
    killed.kill()
    killed.communicate()
    _until_its_session_has_ended(server, left)
    with (
        psycopg.connect(make_conninfo(settings.database_url, dbname=left)),
        scratch(settings, settings.database_url),
    ):
        assert left in scratches(server)
    _until_its_session_has_ended(server, left)
    with scratch(settings, settings.database_url):
        assert left not in scratches(server)


def _until_its_session_has_ended(server: psycopg.Connection, name: str) -> None:
    for _ in range(1_000):
        found = server.execute(
            "SELECT pg_sleep(0.02) FROM pg_stat_activity"
            " WHERE %s::text IN (application_name, datname)",
            (name,),
        ).fetchall()
        if not found:
            return


@pytest.fixture
def without_rights(postgres_server: PostgresServer, server: psycopg.Connection) -> Iterator[str]:
    """The URL of an account that may not create databases."""
    role = f"plain_{secrets.token_hex(4)}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")
    yield make_conninfo(postgres_server.url(), user=role, password="plain")
    server.execute(f"DROP ROLE {role}")


def test_a_role_that_may_not_create_databases_is_told_what_to_grant_or_set(
    without_rights: str, settings: Settings
) -> None:
    with (
        pytest.raises(BdayschedError, match=r"ALTER ROLE \w+ CREATEDB.* SCRATCH_DATABASE_URL"),
        scratch(Settings(), without_rights),
    ):
        pass
    elsewhere = replace(settings, scratch_database_url=settings.database_url)
    with scratch(elsewhere, without_rights) as made, psycopg.connect(made):
        pass


def test_the_migrations_are_replayed_up_to_a_version(settings: Settings) -> None:
    with (
        scratch(settings, settings.database_url) as made,
        connect_to(made, settings) as connection,
    ):
        replay(connection, to="0002")
        found = connection.execute(
            "SELECT to_regclass('message_logs') IS NOT NULL, to_regclass('message_guard') IS NULL"
        )
        assert found.fetchone() == (True, True)
