"""What `doctor` makes of everything together; each check has its own test beside this file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.doctor import checks
from birthday_cli.pipeline.doctor.checks import exit_code
from birthday_cli.pipeline.doctor.finding import Finding, Patient, Verdict
from birthday_cli.pipeline.schedule import schedule
from tests.examined import Installation, examined, told


def test_a_healthy_installation_is_all_ok(healthy: Installation) -> None:
    schedule(healthy.settings, datetime.now(UTC))
    found = examined(healthy)
    assert told(found) == {}
    assert exit_code(found) is ExitCode.DONE
    assert all(each.evidence and not each.command for each in found.values())


@pytest.mark.usefixtures("without_drift")
def test_nothing_is_written(healthy: Installation) -> None:
    def state() -> Any:
        with psycopg.connect(healthy.server.url(), autocommit=True) as administrator:
            return administrator.execute(
                "SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())"
            ).fetchone()

    healthy.administrate("CHECKPOINT")
    examined(healthy)  # hint bits, and what autovacuum was about to do
    healthy.administrate("ALTER SYSTEM SET autovacuum = off")
    healthy.administrate("SELECT pg_reload_conf()")
    healthy.administrate("CHECKPOINT")
    before = state()
    examined(healthy)
    assert state()[1] == before[1]


@pytest.mark.usefixtures("without_drift")
def test_a_locked_table_costs_only_what_is_asked_of_it(
    healthy: Installation, owner: psycopg.Connection
) -> None:
    with owner.transaction():
        owner.execute("LOCK TABLE heartbeats")
        found = examined(healthy)
    assert told(found) == dict.fromkeys(
        ("connections", "workers", "schedule", "versions"), "not known"
    )
    assert found["workers"].evidence == "canceling statement due to lock timeout"
    assert found["workers"].command == "bdaysched monitor locks"


@pytest.mark.usefixtures("without_drift")
def test_a_check_that_fails_costs_no_other(
    healthy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Patient) -> Finding:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setitem(checks.CHECKS, "version", broken)
    found = examined(healthy)
    assert told(found) == {"version": "not known"}
    assert found["version"].evidence == "ZeroDivisionError: division by zero"


@pytest.mark.usefixtures("without_drift")
def test_a_connection_that_is_lost_on_the_way_is_told(
    healthy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fatal(patient: Patient) -> Finding:
        patient.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        raise AssertionError

    monkeypatch.setitem(checks.CHECKS, "version", fatal)
    found = examined(healthy)
    assert found["session"].verdict is Verdict.OK
    assert found["version"].verdict is Verdict.NOT_KNOWN
    assert found["guard"].evidence == "the connection to the database was lost"
    assert exit_code(found) is ExitCode.DATABASE_UNREACHABLE


@pytest.mark.usefixtures("without_drift")
def test_it_comes_to_an_end(healthy: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LONGEST", -1.0)
    found = examined(healthy)
    assert {found[name].evidence for name in checks.CHECKS} == {"the other checks took too long"}


def test_without_a_schema_it_says_so(healthy: Installation) -> None:
    name = f"{healthy.name}_empty"
    healthy.administrate(f"CREATE DATABASE {name} OWNER birthday_owner")
    try:
        url = healthy.url().replace(healthy.name, name)
        found = examined(healthy, database_url=url)
    finally:
        healthy.administrate(f"DROP DATABASE {name}")
    wrong = {name for name, verdict in told(found).items() if verdict == "wrong"}
    assert wrong == {"migrations"}
    assert found["migrations"].command == "bdaysched migrate"
    assert found["runway"].evidence == "the schema is missing"
    assert exit_code(found) is ExitCode.NOT_UP_TO_DATE


def test_a_database_that_is_away_leaves_what_needs_none(healthy: Installation) -> None:
    found = examined(healthy, database_url="postgresql://me:geheim@127.0.0.1:1/none")
    assert {name for name, verdict in told(found).items() if verdict == "wrong"} == {"connection"}
    assert found["broker"].verdict is Verdict.OK
    assert found["settings"].verdict is Verdict.OK
    assert {found[name].evidence for name in checks.CHECKS if name != "connection"} == {
        "the database cannot be reached"
    }
    assert "geheim" not in str(found)
    assert exit_code(found) is ExitCode.DATABASE_UNREACHABLE
