"""The commands of a working day, each under the role that is meant for it."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from typer.testing import CliRunner

from birthday_cli.cli.main import app
from birthday_cli.config import Settings
from birthday_cli.db.cache import Cache
from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError, ExitCode
from birthday_cli.pipeline.looking import browse, monitor
from birthday_cli.pipeline.looking.browse import Wanted, WantedUsers
from birthday_cli.pipeline.looking.day import day
from tests.servers import postgres, process
from tests.servers.postgres import PostgresServer

# What docs/roles.md tells an administrator to do.
ADMINISTRATOR = """
CREATE ROLE bdaysched_program NOLOGIN;
CREATE ROLE bdaysched_worker NOLOGIN;
CREATE ROLE bdaysched_reader NOLOGIN;
CREATE ROLE birthday_owner LOGIN PASSWORD 'o';
CREATE ROLE birthday_cron LOGIN PASSWORD 'c' IN ROLE bdaysched_program;
CREATE ROLE birthday_sender LOGIN PASSWORD 's' IN ROLE bdaysched_worker;
CREATE ROLE birthday_looker LOGIN PASSWORD 'l' IN ROLE bdaysched_reader;
"""
LOGINS = {
    "owner": "birthday_owner:o",
    "cron": "birthday_cron:c",
    "sender": "birthday_sender:s",
    "looker": "birthday_looker:l",
}
PEOPLE = (
    "first_name,last_name,email,timezone,birthday_date,anniversary_date,location_city,"
    "location_country\n"
    "Ada,Lovelace,ada@example.com,UTC,03-10,,,\n"
    "Bob,B,bob@example.com,Europe/Berlin,03-10,03-10,,\n"
    "Cyd,C,cyd@example.com,Asia/Tokyo,03-11,,,\n"
)
SCHEMA_CHANGES = (
    "CREATE TABLE mine ()",
    "CREATE VIEW mine AS SELECT 1",
    "DROP TABLE users CASCADE",
    "DROP TABLE message_logs_2027_03",
    "DROP INDEX idx_users_birthday_date",
    "DROP FUNCTION take_message_guard() CASCADE",
    "ALTER TABLE users ADD COLUMN mine int",
    "ALTER TABLE message_logs DISABLE TRIGGER ALL",
    "ALTER TABLE message_logs DETACH PARTITION message_logs_2027_03",
    "ALTER TABLE users OWNER TO CURRENT_USER",
    "CREATE INDEX ON users (email)",
    "TRUNCATE message_guard",
    "INSERT INTO message_guard SELECT current_date, gen_random_uuid(), 'BIRTHDAY'",
    "DELETE FROM schema_migrations",
    "DELETE FROM time_zones",
)


@dataclass
class Roles:
    """One database, and the program as whoever connects to it."""

    url: str

    def run(self, role: str, *arguments: str, now: str = "2027-03-10T12:00Z") -> str:
        """Run a command in this process; return what it prints, or raise its error."""
        environment = {**self._environment(role), "BDAYSCHED_NOW": now}
        done = CliRunner().invoke(app, arguments, env=environment)
        if isinstance(done.exception, BdayschedError):
            raise done.exception
        assert done.exit_code == ExitCode.DONE, f"{arguments}: {done.output}{done.exception!r}"
        return done.stdout

    def deliver(self, role: str) -> str:
        """Run a worker in a process of its own, since it changes the process; return its output."""
        program = Path(sys.executable).with_name("bdaysched")
        done = subprocess.run(
            [program, "run-worker", "--until-empty"],
            env={**os.environ, **self._environment(role)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def execute(self, role: str, statement: str) -> None:
        with psycopg.connect(self.url_of(role)) as connection:
            connection.execute(statement)

    def url_of(self, role: str) -> str:
        return self.url.replace("LOGIN", LOGINS[role])

    def _environment(self, role: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url_of(role),
            "DELIVERY_URL": "console:",
            "BDAYSCHED_NOW": "2027-03-10T12:00Z",
        }


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of its own: roles belong to a server, and that of the other tests has none."""
    with process.folder("roles") as folder:
        server = PostgresServer(postgres.system_binaries(), folder)
        server.start()
        try:
            with psycopg.connect(server.url(), autocommit=True) as administrator:
                administrator.execute(ADMINISTRATOR)
            yield server
        finally:
            server.stop()


@pytest.fixture
def roles(server: PostgresServer) -> Roles:
    name = f"birthday_{secrets.token_hex(6)}"
    with psycopg.connect(server.url(), autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name} OWNER birthday_owner")
    found = Roles(f"postgresql://LOGIN@{server.host}:{server.port}/{name}")
    found.run("owner", "migrate")
    return found


def test_what_an_administrator_does_is_what_the_document_says() -> None:
    document = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
    said = re.sub(r"PASSWORD '.*?'", "PASSWORD …", document)
    for line in re.sub(r"PASSWORD '.*?'", "PASSWORD …", ADMINISTRATOR).strip().splitlines():
        assert line in said


def test_every_command_of_a_day_works_under_the_programs_role(roles: Roles) -> None:
    Path("people.csv").write_text(PEOPLE)
    for line in (
        "users import people.csv",
        "users import people.csv",
        "users list",
        "users export",
        "preview --date 2027-03-10",
        "forecast",
        "schedule",
        "explain ada@example.com",
        "users delete bob@example.com --yes",
        "schedule",
        "queue status",
        "queue pause --for 1m",
        "queue resume",
        "queue rebuild --yes",
        "schedule",
        "queue dead",
        "queue replay --yes",
        "queue replay --held --yes",
        "queue replay --failed --yes",
        "users erase ada@example.com --yes",
        "audit --date 2027-03-10",
        "status",
        "schema status",
        "monitor partitions",
        "monitor indexes",
        "monitor connections",
    ):
        roles.run("cron", *line.split())
    roles.deliver("cron")


def test_the_worker_delivers_under_its_own_role(roles: Roles) -> None:
    Path("people.csv").write_text(PEOPLE)
    roles.run("cron", "users", "import", "people.csv")
    roles.run("cron", "schedule")
    assert "Ada" in roles.deliver("sender")
    for statement in ("DELETE FROM users", "DELETE FROM message_logs", "SELECT * FROM users"):
        with pytest.raises(errors.InsufficientPrivilege):
            roles.execute("sender", statement)
    for command in ("schedule", "users export", "users erase ada@example.com --yes"):
        with pytest.raises(BdayschedError, match="permission denied for table"):
            roles.run("sender", *command.split())


def test_who_looks_sees_everything_and_changes_nothing(roles: Roles) -> None:
    Path("people.csv").write_text(PEOPLE)
    roles.run("cron", "users", "import", "people.csv")
    roles.run("cron", "schedule")
    roles.execute("owner", "ALTER TABLE message_logs DETACH PARTITION message_logs_2028_03")
    roles.run("owner", "migrate")
    for line in (
        "explain ada@example.com",
        "users list",
        "audit --date 2027-03-10",
        "status",
        "partitions",
        "queue status",
        *(f"monitor {name}" for name in monitor.tables()),
    ):
        roles.run("looker", *line.split())
    for table in ("users", "message_logs", "heartbeats", "queue_pause"):
        roles.execute("looker", f"SELECT * FROM {table} LIMIT 1")
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            with pytest.raises(errors.InsufficientPrivilege):
                roles.execute("looker", statement)
    for command in ("schedule", "queue pause", "users delete ada@example.com --yes"):
        with pytest.raises(BdayschedError, match="permission denied for table"):
            roles.run("looker", *command.split())


def test_studio_reads_as_the_reader_where_it_may_and_is_told_where_not(
    roles: Roles, server: PostgresServer
) -> None:
    administrator = server.url(roles.url.rpartition("/")[2])
    access = browse.read_only(Settings(database_url=administrator))
    assert access.by_role
    with psycopg.connect(access.settings.database_url, autocommit=True) as connection:
        # Even who gets rid of the one lock finds the other.
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM users")
    now = datetime(2027, 3, 10, 12, tzinfo=UTC)
    assert browse.users(access.settings, WantedUsers()) == ([], False)
    assert browse.messages(access.settings, Wanted(now, now + timedelta(1)), now) == ([], False)
    assert browse.attention(access.settings, now).stuck == []
    assert day(access.settings, browse.day_of(now), Cache(access.settings)).mornings == []

    assert not browse.read_only(Settings(database_url=roles.url_of("cron"))).by_role


@pytest.mark.parametrize("role", ["cron", "sender", "looker"])
def test_no_role_of_the_program_changes_the_schema_or_drops_anything(
    roles: Roles, role: str
) -> None:
    for statement in SCHEMA_CHANGES:
        with pytest.raises(errors.InsufficientPrivilege):
            roles.execute(role, statement)
    for command in ("migrate", "create-partitions 24", "drop-partitions 0 --yes"):
        with pytest.raises(BdayschedError, match="connect as a role that may do it"):
            roles.run(role, *command.split(), now="2027-06-10T12:00Z")


def test_what_acts_with_the_owners_rights_cannot_be_put_on_a_table_of_ones_own(
    roles: Roles,
) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="function take_message_guard"):
        roles.execute(
            "cron",
            "CREATE TEMPORARY TABLE mine AS SELECT * FROM message_logs;"
            " CREATE TRIGGER mine AFTER INSERT ON mine REFERENCING NEW TABLE AS inserted_messages"
            " FOR EACH STATEMENT EXECUTE FUNCTION take_message_guard()",
        )


def test_new_months_are_in_the_programs_reach_also_once_they_are_detached(roles: Roles) -> None:
    roles.run("owner", "create-partitions", "24")
    Path("people.csv").write_text(PEOPLE)
    roles.run("cron", "users", "import", "people.csv")
    roles.execute(
        "cron",
        "INSERT INTO message_logs (user_id, message_type, message_content, delivery_date,"
        " scheduled_send_time) SELECT id, 'BIRTHDAY', 'Happy!', '2029-03-10',"
        " '2029-03-10T09:00Z' FROM users",
    )
    roles.execute("owner", "ALTER TABLE message_logs DETACH PARTITION message_logs_2029_03")
    roles.run("cron", "users", "erase", "ada@example.com", "--yes")
    with psycopg.connect(roles.url_of("owner")) as connection:
        left = connection.execute("SELECT count(*) FROM message_logs_2029_03").fetchone()
    assert left == (2,)


def test_what_was_granted_by_hand_is_taken_back_by_the_next_migrate(roles: Roles) -> None:
    roles.execute("owner", "GRANT DELETE, UPDATE (email) ON users TO bdaysched_worker")
    roles.execute("owner", "GRANT INSERT ON time_zones TO bdaysched_program")
    roles.run("owner", "migrate")
    for role, statement in {
        "sender": "UPDATE users SET email = ''",
        "cron": "INSERT INTO time_zones VALUES ('Mars/Olympus')",
    }.items():
        with pytest.raises(errors.InsufficientPrivilege):
            roles.execute(role, statement)


def test_every_table_was_thought_of(database: str) -> None:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm') AND NOT relispartition"
        ).fetchall()
    assert [name for (name,) in rows if not re.search(rf"\b{name}\b", query("roles"))] == []


def test_every_function_with_its_owners_rights_was_thought_of(database: str) -> None:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        ).fetchall()
    assert rows
    assert [name for (name,) in rows if f"{name}()" not in query("roles")] == []
