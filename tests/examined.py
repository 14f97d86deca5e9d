"""An installation of which `doctor` has nothing bad to say, on a server of its own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

import birthday_cli
from birthday_cli.config import Settings
from birthday_cli.db.examining import connect_briefly
from birthday_cli.pipeline.doctor import checks
from birthday_cli.pipeline.doctor.checks import Finding
from birthday_cli.pipeline.doctor.finding import Patient, Verdict
from birthday_cli.pipeline.schema.migrate import migrate
from tests.facts import add_heartbeat
from tests.servers import postgres, process
from tests.servers.postgres import PostgresServer

# docs/roles.md; the owner may also make scratch databases, and see the server's figures.
_ROLES = """
CREATE ROLE bdaysched_program NOLOGIN;
CREATE ROLE bdaysched_worker NOLOGIN;
CREATE ROLE birthday_owner LOGIN CREATEDB PASSWORD 'o';
CREATE ROLE birthday_cron LOGIN PASSWORD 'c' IN ROLE bdaysched_program;
CREATE ROLE birthday_sender LOGIN PASSWORD 's' IN ROLE bdaysched_worker;
GRANT pg_monitor TO birthday_owner;
"""
_LOGINS = {"owner": "birthday_owner:o", "cron": "birthday_cron:c", "sender": "birthday_sender:s"}


@dataclass
class Installation:
    """A database, as its roles and as the administrator see it."""

    server: PostgresServer
    name: str

    def url(self, role: str = "owner") -> str:
        server = self.server
        return f"postgresql://{_LOGINS[role]}@{server.host}:{server.port}/{self.name}"

    @property
    def settings(self) -> Settings:
        return Settings(database_url=self.url(), delivery_url="console:")

    def administrate(self, statement: str) -> None:
        with psycopg.connect(self.server.url(self.name), autocommit=True) as connection:
            connection.execute(statement)

    def configure(self, name: str, value: str) -> None:
        """Set a setting of the server, and return when new sessions have it."""
        self.administrate(f"ALTER SYSTEM SET {name} = {value}")
        self.administrate("SELECT pg_reload_conf()")
        found = None
        while found != value:
            with psycopg.connect(self.server.url()) as connection:
                row: Any = connection.execute(f"SHOW {name}").fetchone()
                found = row[0]


@pytest.fixture(scope="module")
def safe_server() -> Iterator[PostgresServer]:
    """A server that loses nothing, with the roles of docs/roles.md."""
    with process.folder("doctor") as folder:
        server = PostgresServer(postgres.system_binaries(), folder)
        server.start()
        try:
            found = Installation(server, "postgres")
            for name in ("fsync", "full_page_writes"):
                found.configure(name, "on")
            found.administrate(_ROLES)
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def healthy_template(safe_server: PostgresServer) -> str:
    found = Installation(safe_server, "healthy")
    with psycopg.connect(safe_server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE healthy OWNER birthday_owner")
    migrate(found.settings, datetime.now(UTC))
    with psycopg.connect(found.url(), autocommit=True) as connection:
        for kind, state in (("worker", "delivering"), ("scheduler", "done in 0.3 s")):
            hour = datetime.max.replace(tzinfo=UTC)
            add_heartbeat(
                connection, kind, version=birthday_cli.__version__, state=state, stale_at=hour
            )
    return found.name


@pytest.fixture
def healthy(
    safe_server: PostgresServer, healthy_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """An installation of the test's own. However slow the machine, every check is made."""
    monkeypatch.setattr(checks, "LONGEST", 3_600.0)
    found = Installation(safe_server, f"test_{secrets.token_hex(6)}")
    # Not over one connection: a test may restart the server.
    elsewhere = Installation(safe_server, "postgres")
    elsewhere.administrate(
        f"CREATE DATABASE {found.name} OWNER birthday_owner TEMPLATE {healthy_template}"
        " STRATEGY file_copy"
    )
    try:
        yield found
    finally:
        elsewhere.administrate(f"DROP DATABASE {found.name} WITH (FORCE)")


@pytest.fixture
def without_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the check that makes a database, and takes a second."""
    # Not taken out of the dict: it would come back at its end, and the order is what others test.
    others = {name: check for name, check in checks.CHECKS.items() if name != "drift"}
    monkeypatch.setattr(checks, "CHECKS", others)


def told(found: dict[str, Finding]) -> dict[str, str]:
    """Return the verdicts that are not ok."""
    return {
        name: str(each.verdict) for name, each in found.items() if each.verdict is not Verdict.OK
    }


@pytest.fixture
def owner(healthy: Installation) -> Iterator[psycopg.Connection]:
    with psycopg.connect(healthy.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def patient(healthy: Installation) -> Iterator[Patient]:
    settings = healthy.settings
    with connect_briefly(settings.database_url, settings) as connection:
        yield Patient(settings, datetime.now(UTC), settings.database_url, connection)


def examined(installation: Installation, **settings: Any) -> dict[str, Finding]:
    return checks.examine(replace(installation.settings, **settings), datetime.now(UTC))


def assert_found(
    found: dict[str, Finding], verdicts: dict[str, str], evidence: str, command: str
) -> None:
    """Assert the verdicts that are not ok, and what the first of them says, by patterns."""
    assert told(found) == verdicts
    first = found[next(iter(verdicts))]
    assert re.fullmatch(evidence, first.evidence), first.evidence
    assert re.fullmatch(command, first.command), first.command
