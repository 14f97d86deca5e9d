"""The checks of the schema, with exactly that broken which each is about."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import pytest

from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.doctor.checks import exit_code
from birthday_cli.pipeline.doctor.finding import Verdict
from birthday_cli.pipeline.schedule import schedule
from tests.examined import Installation, assert_found, examined, told

THIS_MONTH = f"message_logs_{datetime.now(UTC):%Y_%m}"


@dataclass
class Harm:
    """A statement of the owner's, or of the administrator's; and what follows from it.

    The first of `verdicts` is the check that it is about, which names `evidence` and `command`.
    """

    statement: str
    verdicts: dict[str, str]
    evidence: str
    command: str
    by_administrator: bool = False


HARMS = {
    "a migration is pending": Harm(
        "DELETE FROM schema_migrations WHERE version = '0007'; DROP TABLE heartbeats",
        {
            "migrations": "wrong",
            **dict.fromkeys(("connections", "workers", "schedule", "versions"), "not known"),
        },
        "0007_heartbeats.sql not applied",
        "bdaysched migrate",
    ),
    "a migration was edited": Harm(
        "UPDATE schema_migrations SET checksum = 'x' WHERE version = '0005'",
        {"migrations": "wrong", "drift": "not known"},
        "0005_worker.sql was edited after it was applied",
        "restore the file, .* bdaysched schema repair 0005 .*",
    ),
    "what a migration verified does not hold": Harm(
        "UPDATE schema_migrations SET content = content || '\n-- verify\nSELECT false;\n'"
        " WHERE version = '0001'",
        {"verify": "wrong"},
        r"0001_users\.sql:\d+:1: the verification failed: the query returned False, .*",
        ".*",
    ),
    "an index was made by hand": Harm(
        "CREATE INDEX by_hand ON users (last_name)",
        {"drift": "wrong"},
        "index by_hand on users is not from the migrations",
        "bdaysched schema check",
    ),
    "an index is invalid": Harm(
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'idx_users_birthday_date'::regclass",
        {"indexes": "wrong"},
        "idx_users_birthday_date INVALID",
        "REINDEX INDEX CONCURRENTLY idx_users_birthday_date",
        by_administrator=True,
    ),
    "an index of a month is invalid": Harm(
        "UPDATE pg_index SET indisvalid = false"
        f" WHERE indexrelid = '{THIS_MONTH}_status_idx'::regclass",
        {"indexes": "wrong"},
        f"index {THIS_MONTH}_status_idx on {THIS_MONTH} is INVALID",
        f"run REINDEX INDEX CONCURRENTLY {THIS_MONTH}_status_idx",
        by_administrator=True,
    ),
    "the months lack an index": Harm(
        "DROP INDEX idx_message_logs_status;"
        " CREATE INDEX idx_message_logs_status ON ONLY message_logs (status)",
        {"indexes": "wrong"},
        r"index idx_message_logs_status on message_logs_\w+ is missing, and \d+ more",
        "run bdaysched migrate, which builds it",
    ),
    "REINDEX was interrupted": Harm(
        "CREATE INDEX idx_users_birthday_date_ccnew ON users (birthday_date);"
        " UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'idx_users_birthday_date_ccnew'::regclass",
        {"indexes": "wrong", "drift": "wrong"},
        "idx_users_birthday_date_ccnew INVALID",
        "DROP INDEX CONCURRENTLY idx_users_birthday_date_ccnew",
        by_administrator=True,
    ),
    "a month lacks the guard": Harm(
        f"DROP TRIGGER take_message_guard ON {THIS_MONTH}",
        {"guard": "wrong"},
        f"trigger take_message_guard on {THIS_MONTH} is missing: messages may come twice",
        "bdaysched create-partitions 12, which puts it there",
    ),
    "the guard of a month is disabled": Harm(
        f"ALTER TABLE {THIS_MONTH} DISABLE TRIGGER take_message_guard",
        {"guard": "wrong"},
        f"trigger take_message_guard on {THIS_MONTH} is not enabled: messages may come twice",
        f"ALTER TABLE {THIS_MONTH} ENABLE TRIGGER take_message_guard",
    ),
    "the guard is disabled": Harm(
        "ALTER TABLE ONLY message_logs DISABLE TRIGGER release_message_guard",
        {"guard": "wrong", "drift": "wrong"},
        "release_message_guard on message_logs is off: messages may come twice",
        "ALTER TABLE message_logs ENABLE TRIGGER release_message_guard",
    ),
    "the guard is gone": Harm(
        "DROP TRIGGER take_message_guard ON message_logs",
        {"guard": "wrong", "drift": "wrong"},
        "take_message_guard on message_logs is off: messages may come twice",
        r"SELECT guard_message_table\('message_logs'\)",
    ),
    "a zone is not known to the database": Harm(
        "DELETE FROM time_zones WHERE name = 'Asia/Tokyo'",
        {"time zones": "wrong"},
        "tzdata .* here, 597 zones in the database: Asia/Tokyo not there",
        "bdaysched migrate",
    ),
    "another host has newer time zones": Harm(
        "INSERT INTO time_zones VALUES ('Mars/Olympus')",
        {"time zones": "wrong"},
        "tzdata .*: Mars/Olympus unknown here, another host's data is newer",
        "pip install --upgrade tzdata",
    ),
    "everyone may make tables": Harm(
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        {"rights": "wrong", "drift": "wrong"},
        "everyone may make tables in the schema public",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        by_administrator=True,
    ),
    "everyone may call what has its owner's rights": Harm(
        "GRANT EXECUTE ON FUNCTION take_message_guard() TO PUBLIC",
        {"rights": "wrong", "drift": "wrong"},
        r"everyone may call take_message_guard\(\), which has its owner's rights",
        r"REVOKE EXECUTE ON FUNCTION take_message_guard\(\) FROM PUBLIC",
    ),
    "a table is another role's": Harm(
        "ALTER TABLE queue_pause OWNER TO postgres; GRANT ALL ON queue_pause TO birthday_owner",
        {"rights": "wrong", "drift": "wrong"},
        "queue_pause belongs to postgres, and message_logs to birthday_owner",
        "ALTER TABLE queue_pause OWNER TO birthday_owner",
        by_administrator=True,
    ),
    "a table is unlogged": Harm(
        "ALTER TABLE queue_pause SET UNLOGGED",
        {"durability": "wrong", "drift": "wrong"},
        "queue_pause is UNLOGGED: a crash empties it",
        "ALTER TABLE queue_pause SET LOGGED",
    ),
}


@pytest.mark.parametrize("name", HARMS)
def test_of_the_schema_exactly_what_is_broken_is_wrong(healthy: Installation, name: str) -> None:
    harm = HARMS[name]
    if harm.by_administrator:
        healthy.administrate(harm.statement)
    else:
        with psycopg.connect(healthy.url(), autocommit=True) as owner:
            owner.execute(harm.statement)
    assert_found(examined(healthy), harm.verdicts, harm.evidence, harm.command)


@pytest.mark.parametrize(("role", "lacking"), [("cron", "users"), ("sender", "heartbeats")])
def test_a_right_that_the_role_lost_is_named(
    healthy: Installation, owner: psycopg.Connection, role: str, lacking: str
) -> None:
    of = {"cron": "bdaysched_program", "sender": "bdaysched_worker"}[role]
    before = examined(healthy, database_url=healthy.url(role))
    assert before["rights"].verdict is Verdict.OK
    owner.execute(f"REVOKE DELETE ON {lacking} FROM {of}")
    found = examined(healthy, database_url=healthy.url(role))
    assert found["rights"].evidence == f"birthday_{role} may not DELETE on {lacking}"
    assert {name for name in found if told(found).get(name) != told(before).get(name)} == {"rights"}


def test_what_the_programs_role_may_not_know_it_says(healthy: Installation) -> None:
    found = examined(healthy, database_url=healthy.url("cron"))
    assert told(found) == dict.fromkeys(
        ("connections", "transactions", "disk", "drift"), "not known"
    )
    assert found["drift"].command.startswith("grant it (ALTER ROLE birthday_cron CREATEDB), or")
    assert found["disk"].command == "GRANT pg_monitor TO birthday_cron"
    assert re.match(r"database [\d.]+ MB; more is told", found["disk"].evidence)
    assert exit_code(found) is ExitCode.DONE


def test_a_worker_is_told_what_it_may_know(healthy: Installation) -> None:
    found = examined(healthy, database_url=healthy.url("sender"))
    assert "wrong" not in told(found).values()
    assert found["migrations"].evidence == "permission denied for table schema_migrations"
    assert found["migrations"].command.startswith("connect as a role that may")
    assert found["guard"].verdict is Verdict.OK


@pytest.mark.usefixtures("without_drift")
def test_a_superuser_is_warned_of(healthy: Installation) -> None:
    found = examined(healthy, database_url=healthy.server.url(healthy.name))
    assert told(found) == {"rights": "warning"}
    assert exit_code(found) is ExitCode.DONE


@pytest.mark.usefixtures("without_drift")
def test_what_other_settings_have_planned_is_seen(healthy: Installation) -> None:
    other = replace(healthy.settings, max_lateness=3_600.0)
    schedule(other, datetime.now(UTC))
    assert_found(
        examined(healthy),
        {"planned": "wrong"},
        r"(\d+) of \1 mornings, from .* on, were planned with other time-zone data or settings .*",
        "bdaysched schedule .*",
    )
    schedule(healthy.settings, datetime.now(UTC))
    assert told(examined(healthy)) == {}
