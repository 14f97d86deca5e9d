"""The checks of the server, with exactly that broken which each is about."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from birthday_cli.db import examining
from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.doctor import server as doctor_server
from birthday_cli.pipeline.doctor.finding import Patient, Verdict
from tests.examined import Installation, assert_found, examined, told
from tests.servers.pgbouncer import StartPgBouncer


@pytest.mark.usefixtures("without_drift")
@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_loses_what_was_committed(healthy: Installation, name: str) -> None:
    healthy.configure(name, "off")
    try:
        assert_found(
            examined(healthy),
            {"durability": "wrong"},
            rf"{name} off \(by the configuration file\): a crash loses what was committed",
            rf"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf\(\)",
        )
    finally:
        healthy.configure(name, "on")


@pytest.mark.usefixtures("without_drift")
def test_who_has_turned_it_off_is_told(healthy: Installation) -> None:
    url = f"{healthy.url()}?options=-c%20synchronous_commit%3Doff"
    found = examined(healthy, database_url=url)
    assert told(found) == {"durability": "wrong"}
    assert found["durability"].command == (
        "take synchronous_commit out of DATABASE_URL and PGOPTIONS"
    )
    healthy.administrate("ALTER ROLE birthday_owner SET synchronous_commit = off")
    try:
        found = examined(healthy)
        assert found["durability"].command == "ALTER ROLE birthday_owner RESET synchronous_commit"
        healthy.administrate(found["durability"].command)
    finally:
        healthy.administrate("ALTER ROLE birthday_owner RESET ALL")
    healthy.administrate(f"ALTER DATABASE {healthy.name} SET synchronous_commit = off")
    found = examined(healthy)
    healthy.administrate(found["durability"].command)
    assert told(examined(healthy)) == {}


@pytest.mark.usefixtures("without_drift")
def test_a_database_that_is_only_read(healthy: Installation) -> None:
    healthy.administrate(f"ALTER DATABASE {healthy.name} SET default_transaction_read_only = on")
    assert_found(
        examined(healthy),
        {"writable": "wrong"},
        "transactions are read-only",
        f"ALTER DATABASE {healthy.name} RESET default_transaction_read_only; .*",
    )


def test_a_standby_is_not_the_primary(healthy: Installation) -> None:
    signal = healthy.server.data / "standby.signal"
    healthy.server.stop()
    signal.touch()
    try:
        healthy.server.start()
        found = examined(healthy)
    finally:
        healthy.server.stop()
        signal.unlink()
        healthy.server.start()
    assert told(found) == {"writable": "wrong", "drift": "not known"}
    assert found["writable"].command == "name the primary in DATABASE_URL"


@pytest.mark.parametrize(("ahead", "side"), [(5, "ahead of"), (-5, "behind")])
def test_clocks_that_are_apart(patient: Patient, ahead: int, side: str) -> None:
    def read() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead)

    found = doctor_server.clock(patient, read)
    assert found.verdict is Verdict.WRONG
    assert re.fullmatch(rf"this host is [45]\.\d+ s {side} the server", found.evidence)
    assert "set-ntp" in found.command
    assert doctor_server.clock(patient).verdict is Verdict.OK


def test_a_slow_answer_is_no_difference_of_clocks(patient: Patient) -> None:
    times = iter([datetime.now(UTC) - timedelta(seconds=9), datetime.now(UTC)])
    assert doctor_server.clock(patient, lambda: next(times)).verdict is Verdict.OK


def test_a_server_that_is_too_old(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_server, "_OLDEST_SERVER", 99)
    found = doctor_server.version(patient)
    assert (found.verdict, found.command) == (Verdict.WRONG, "upgrade to 99 or newer")


def test_max_connections_that_are_too_few(patient: Patient) -> None:
    many = replace(patient.settings, database_pool_max=1_000)
    found = doctor_server.connections(replace(patient, settings=many))
    assert found.verdict is Verdict.WARNING
    assert "x 1000 + 10" in found.evidence
    assert found.command.startswith("raise max_connections, or set DATABASE_POOL_MAX to")


def test_a_transaction_that_was_forgotten(
    patient: Patient, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owner.transaction():
        owner.execute("SELECT 1")
        assert doctor_server.transactions(patient).verdict is Verdict.OK
        monkeypatch.setattr(doctor_server, "_LONG_TRANSACTION", 0.0)
        found = doctor_server.transactions(patient)
    assert found.verdict is Verdict.WARNING
    assert found.command == f"SELECT pg_terminate_backend({owner.info.backend_pid})"
    assert doctor_server.transactions(patient).evidence == "none is open"


def test_a_full_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_server, "_LEAST_FREE", 1.1)
    found = doctor_server.disk(patient)
    assert found.verdict is Verdict.WRONG
    assert re.match(r"[\d.,]+ GB of [\d.,]+ GB free at /", found.evidence)
    assert "drop-partitions" in found.command


def test_a_disk_of_another_host_is_not_known(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examining, "is_on_this_host", lambda _: False)
    found = doctor_server.disk(patient)
    assert found.verdict is Verdict.NOT_KNOWN
    assert re.fullmatch(
        r"database .* MB, WAL .*; the server's disk is on another host", found.evidence
    )
    assert found.command.startswith("df /")


def archived(owner: psycopg.Connection, manifest: str) -> None:
    owner.execute(
        "INSERT INTO partition_events (partition, event, done_by, archive)"
        " VALUES ('message_logs_2020_01', 'dropped', 'me', %s)",
        (manifest,),
    )


def test_an_archive_that_is_gone(
    patient: Patient,
    owner: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = tmp_path / "message_logs_2020_01.manifest.json"
    archived(owner, str(manifest))
    found = doctor_server.archive(patient)
    assert (found.verdict, found.evidence) == (
        Verdict.WRONG,
        f"{manifest} is gone, and its month was dropped",
    )
    manifest.touch()
    assert doctor_server.archive(patient).verdict is Verdict.OK
    monkeypatch.setattr(doctor_server, "_LEAST_FREE", 1.1)
    assert doctor_server.archive(patient).verdict is Verdict.WRONG


@pytest.mark.parametrize("manifest", ["/of/another/host/m.json", "s3://bucket/m.json"])
def test_an_archive_elsewhere_is_not_known(
    patient: Patient, owner: psycopg.Connection, manifest: str
) -> None:
    archived(owner, manifest)
    found = doctor_server.archive(patient)
    assert found.verdict is Verdict.NOT_KNOWN
    assert found.command


def test_a_pooler_that_shares_sessions(pgbouncer: StartPgBouncer, healthy: Installation) -> None:
    url = pgbouncer(pool_mode="transaction", ignore_startup_parameters="options,extra_float_digits")
    found = examined(healthy, database_url=url)
    assert found["session"].verdict is Verdict.WRONG
    assert found["session"].command.startswith("give the URL of PostgreSQL itself in DATABASE_URL")
    assert found["session"].exit_code is ExitCode.USAGE
