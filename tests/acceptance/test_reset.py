from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from birthday_cli.cli.main import app
from birthday_cli.config import Settings
from birthday_cli.db import development, queries
from birthday_cli.db.connect import connect
from birthday_cli.errors import BdayschedError, ExitCode, UsageError
from birthday_cli.pipeline.schema import reset
from birthday_cli.pipeline.schema.migrate import migrate
from tests.facts import add_message, add_user

NOW = datetime.now(UTC)
PROGRAM = Path(sys.executable).with_name("bdaysched")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    monkeypatch.setattr(queries, "directory", lambda: copy)
    return copy


@pytest.fixture
def marked(settings: Settings) -> Settings:
    """Settings whose database is migrated, and one for development."""
    reset.mark(settings, True)
    return settings


def run(settings: Settings, *arguments: str) -> str:
    """Run a command in this process; return what it prints, or raise its error."""
    done = CliRunner().invoke(app, arguments, env={"DATABASE_URL": settings.database_url})
    if isinstance(done.exception, BdayschedError):
        raise done.exception
    assert done.exit_code == ExitCode.DONE, f"{arguments}: {done.output}{done.exception!r}"
    return done.stdout


def names(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "SELECT oid::regclass::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " UNION SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace"
        " UNION SELECT oid::regtype::text FROM pg_type"
        " WHERE typnamespace = 'public'::regnamespace AND typtype = 'd'"
    ).fetchall()
    return {name for (name,) in rows}


def test_a_database_that_is_not_marked_is_left_alone(
    settings: Settings, connection: psycopg.Connection
) -> None:
    before = names(connection)
    with pytest.raises(UsageError, match="is not marked as a development database") as failed:
        run(settings, "reset", "--yes")
    assert failed.value.exit_code is ExitCode.USAGE
    assert names(connection) == before


def test_everything_of_ours_is_dropped_and_made_again(
    marked: Settings, connection: psycopg.Connection
) -> None:
    before = names(connection)
    add_message(connection)
    done = json.loads(run(marked, "reset", "--yes", "--json"))
    assert {"users", "message_logs", "month_day", "schema_migrations"} <= {*done["dropped"]}
    assert done["left"] == []
    assert len(done["made"]["migrations"]) > 4
    assert names(connection) == before
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert migrate(marked, NOW).migrations == []


def test_what_is_not_ours_stays(marked: Settings, connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE SCHEMA other CREATE TABLE users (id int);"
        "CREATE TABLE theirs (id int PRIMARY KEY); INSERT INTO theirs VALUES (1);"
        "CREATE FUNCTION their_sum(int, int) RETURNS int LANGUAGE sql RETURN $1 + $2;"
        "CREATE TABLE message_logs_2020_01 (id int)"
    )
    done = reset.reset(marked, NOW)
    assert set(done.left) == {
        "table theirs",
        "table message_logs_2020_01",
        "function their_sum(integer,integer)",
    }
    assert connection.execute("SELECT * FROM theirs").fetchall() == [(1,)]
    assert names(connection) >= {"theirs", "their_sum(integer,integer)", "message_logs_2020_01"}
    assert connection.execute("SELECT count(*) FROM other.users").fetchone() == (0,)


def test_nothing_is_dropped_when_something_of_others_needs_it(
    marked: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection)
    connection.execute("CREATE VIEW theirs AS SELECT email FROM users")
    before = names(connection)
    with pytest.raises(BdayschedError, match=r"view theirs depends on .*users.*Nothing was done"):
        reset.reset(marked, NOW)
    assert names(connection) == before
    assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (1,)


def test_what_a_file_of_another_branch_has_made_is_ours(
    marked: Settings, connection: psycopg.Connection, sql: Path
) -> None:
    other = sql / "migrations" / "0950_wishes.sql"
    other.write_text(
        "CREATE TABLE wishes (id int PRIMARY KEY, user_id uuid REFERENCES users (id));\n"
        "CREATE FUNCTION first_wish() RETURNS wishes LANGUAGE sql"
        " BEGIN ATOMIC SELECT * FROM wishes ORDER BY id LIMIT 1; END;\n"
    )
    migrate(marked, NOW)
    other.unlink()
    done = reset.reset(marked, NOW)
    assert {"wishes", "first_wish()"} <= {*done.dropped}
    assert not {"wishes", "first_wish()"} & names(connection)
    assert migrate(marked, NOW).migrations == []


def test_months_that_were_detached_go_too(marked: Settings, connection: psycopg.Connection) -> None:
    month = f"message_logs_{NOW:%Y_%m}"
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {month}")
    assert month in reset.reset(marked, NOW).dropped
    assert migrate(marked, NOW).partitions == []


def test_a_dry_run_names_everything_and_changes_nothing(
    marked: Settings, connection: psycopg.Connection
) -> None:
    add_user(connection)
    before = names(connection)
    shown = json.loads(run(marked, "reset", "--dry-run", "--json"))
    assert (shown["dry_run"], shown["left"]) == (True, [])
    assert "users" in shown["dropped"]
    assert names(connection) == before
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_without_a_terminal_it_asks_for_yes(marked: Settings) -> None:
    with pytest.raises(UsageError, match="give --yes"):
        run(marked, "reset")
    with pytest.raises(UsageError, match="give --yes"):
        run(marked, "reset", "--mark")


def test_a_table_that_is_in_use_is_waited_for_in_short_attempts(
    marked: Settings, connection: psycopg.Connection
) -> None:
    with psycopg.connect(marked.database_url) as other:
        other.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        child = start(marked)
        wait_until(lambda: bool(waiting(connection)))
    assert ended(child) == ExitCode.DONE


@pytest.mark.parametrize("table", ["users", "schema_migrations"])
def test_killed_half_way_and_run_again_it_ends_as_if_nothing_had_been(
    marked: Settings, connection: psycopg.Connection, table: str
) -> None:
    before = names(connection)
    with psycopg.connect(marked.database_url) as other:
        # It has dropped what comes before the table, and stands still.
        other.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
        child = start(marked)
        wait_until(lambda: bool(waiting(connection)))
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert names(connection) == before
    reset.reset(marked, NOW)
    assert names(connection) == before


def test_two_at_once_end_as_one_would(marked: Settings, connection: psycopg.Connection) -> None:
    before = names(connection)
    children = [start(marked) for _ in range(2)]
    assert [ended(child) for child in children] == [ExitCode.DONE] * 2
    assert names(connection) == before
    assert migrate(marked, NOW).migrations == []


def test_the_mark_is_a_line_in_the_databases_comment(
    settings: Settings, connection: psycopg.Connection
) -> None:
    with connect(settings) as ours:
        connection.execute(f"COMMENT ON DATABASE {ours.info.dbname} IS 'of team 3'")
        assert not development.is_development(ours)
        assert development.mark(ours)
        assert not development.mark(ours)
        assert development.is_development(ours)
        assert comment(connection) == f"of team 3\n{development.MARK}"
        assert development.mark(ours, False)
        assert comment(connection) == "of team 3"
    # Nobody pretends it by a setting of the session.
    url = f"{settings.database_url}?options=-c%20bdaysched.development%3Don"
    with connect(Settings(database_url=url)) as ours:
        assert not development.is_development(ours)
    run(settings, "reset", "--mark", "--yes")
    assert json.loads(run(settings, "reset", "--unmark", "--json"))["development"] is False
    assert comment(connection) == "of team 3"


def test_the_owner_marks_a_database_and_no_other_role(
    settings: Settings, connection: psycopg.Connection
) -> None:
    role = f"other_{os.getpid()}_{time.monotonic_ns()}"
    connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    at: dict[str, Any] = conninfo_to_dict(settings.database_url)
    theirs = Settings(database_url=make_conninfo(**{**at, "user": role, "password": "p"}))
    try:
        with pytest.raises(BdayschedError, match="must be owner of database"):
            reset.mark(theirs, True)
        connection.execute(f"ALTER DATABASE {at['dbname']} OWNER TO {role}")
        reset.mark(theirs, True)
        assert reset.find_mark(theirs)[1]
    finally:
        connection.execute(f"ALTER DATABASE {at['dbname']} OWNER TO postgres")
        connection.execute(f"DROP ROLE {role}")


def test_the_private_server_is_for_development(tmp_path: Path) -> None:
    settings = Settings(database_url=f"embedded:{tmp_path / 'private'}")
    assert reset.find_mark(settings)[1]


def comment(connection: psycopg.Connection) -> object:
    row = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    return row and row[0]


def start(settings: Settings) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PROGRAM, "reset", "--yes"],
        env={**os.environ, "DATABASE_URL": settings.database_url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def ended(child: subprocess.Popen[bytes]) -> int:
    return child.wait(120)


def waiting(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'bdaysched reset'"
        " AND datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchall()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
