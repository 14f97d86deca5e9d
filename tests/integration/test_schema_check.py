"""What somebody changed in a live database is told, each in a line, with what to do about it."""

from __future__ import annotations

import re

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.partitions import MESSAGES, existing
from birthday_cli.errors import NotUpToDate
from birthday_cli.pipeline.schema.check import check

DRIFTS = [
    (
        "CREATE INDEX by_hand ON users (last_name)",
        r"index by_hand on users is not from the migrations: run DROP INDEX by_hand, or keep it .*",
    ),
    (
        "DROP INDEX idx_users_birthday_date",
        r"index idx_users_birthday_date on users is missing: run CREATE INDEX CONCURRENTLY"
        r" idx_users_birthday_date ON users USING btree .*",
    ),
    (
        "DROP INDEX idx_message_logs_status",
        r"index idx_message_logs_status on message_logs is missing: run CREATE INDEX"
        r" idx_message_logs_status ON ONLY message_logs USING btree \(status\); then `bdaysched"
        r" migrate` builds it in the partitions",
    ),
    (
        "ALTER TABLE users DROP CONSTRAINT check_timezone_format",
        r"constraint check_timezone_format on users is missing: run ALTER TABLE users ADD"
        r" CONSTRAINT check_timezone_format CHECK .*",
    ),
    (
        "ALTER TABLE users ALTER created_at SET DEFAULT '2020-01-01'",
        r"column users.created_at differs: default is '2020-01-01 .* instead of now\(\): run"
        r" ALTER TABLE users ALTER COLUMN created_at SET DEFAULT now\(\)",
    ),
    (
        "ALTER TABLE users ALTER last_name DROP NOT NULL, ALTER location_city TYPE varchar(9)",
        r"column users.last_name differs: NOT NULL is off instead of on: run ALTER TABLE users"
        r" ALTER COLUMN last_name SET NOT NULL",
        r"column users.location_city differs: type is character varying\(9\) instead of text: run"
        r" ALTER TABLE users ALTER COLUMN location_city TYPE text USING location_city::text",
    ),
    (
        "ALTER TABLE message_logs DISABLE TRIGGER take_message_guard",
        r"trigger take_message_guard on message_logs is disabled: run ALTER TABLE message_logs"
        r" ENABLE TRIGGER take_message_guard",
        *[
            r"trigger take_message_guard on message_logs_\d+_\d+ is not disabled: run ALTER TABLE"
            r" message_logs_\d+_\d+ DISABLE TRIGGER take_message_guard"
        ]
        * 13,
    ),
    (
        "CREATE OR REPLACE FUNCTION touch_user() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NEW; END $$",
        r"function touch_user\(\) differs: definition is AS .* instead of AS .*: make it what it"
        r" is in sql/schema\.sql",
    ),
    (
        "CREATE TABLE theirs (id int PRIMARY KEY)",
        r"table theirs is not from the migrations: run DROP TABLE theirs \(its rows go, too\), .*",
    ),
    (
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
        "CREATE FOREIGN TABLE elsewhere (id int) SERVER s",
        r"table elsewhere is not from the migrations: run DROP FOREIGN TABLE elsewhere .*",
    ),
    (
        "CREATE TYPE mood AS ENUM ('good')",
        r"type mood is not from the migrations: drop it by hand, .*",
    ),
    (
        "COMMENT ON COLUMN message_logs.attempts IS 'what?'",
        r"comment on COLUMN message_logs.attempts differs: text is 'what\?' instead of .*",
    ),
    (
        "GRANT DELETE ON users TO PUBLIC",
        r"rights of PUBLIC on users is not from the migrations: run REVOKE DELETE ON TABLE users"
        r" FROM PUBLIC, .*",
    ),
    (
        "ALTER DOMAIN month_day DROP CONSTRAINT check_month_day",
        r"constraint check_month_day on month_day is missing: run ALTER DOMAIN month_day ADD .*",
    ),
    ("DROP TABLE queue_pause", r"table queue_pause is missing: make it .*"),
    (
        "CREATE VIEW recent AS SELECT id FROM users",
        r"view recent is not from the migrations: run DROP VIEW recent, .*",
    ),
    # After those that write the table anew, which makes its indexes valid.
    (
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'idx_users_anniversary_date'::regclass",
        r"index idx_users_anniversary_date on users is INVALID: run REINDEX INDEX CONCURRENTLY"
        r" idx_users_anniversary_date",
    ),
]


def test_drift_is_told_each_in_one_line_with_what_to_do(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for change, *_ in DRIFTS:
        connection.execute(change.encode())
    lines = [str(drift) for drift in check(settings)]
    for pattern in (pattern for _, *patterns in DRIFTS for pattern in patterns):
        found = [line for line in lines if re.fullmatch(pattern, line)]
        assert found, (pattern, lines)
        lines.remove(found[0])
    assert lines == []


def test_a_migrated_database_has_none_whatever_months_it_has(
    settings: Settings, connection: psycopg.Connection
) -> None:
    leaf = existing(connection, MESSAGES)[0].name
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {leaf}".encode())
    assert check(settings) == []


LEAF_DRIFTS = [
    (
        "ALTER TABLE {leaf} DISABLE TRIGGER take_message_guard",
        "trigger take_message_guard on {leaf} is not enabled: run ALTER TABLE {leaf} ENABLE TRIGGER"
        " take_message_guard",
    ),
    (
        "DROP TRIGGER release_message_guard ON {leaf}",
        "trigger release_message_guard on {leaf} is missing: run `bdaysched create-partitions 12`,"
        " which puts it there",
    ),
    (
        "CREATE OR REPLACE TRIGGER refuse_message_key_change BEFORE UPDATE ON {leaf}"
        " EXECUTE FUNCTION refuse_message_key_change()",
        "trigger refuse_message_key_change on {leaf} is not that of its table: run DROP TRIGGER"
        " refuse_message_key_change ON {leaf}; then `bdaysched create-partitions 12`",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{leaf}_status_idx'::regclass",
        "index {leaf}_status_idx on {leaf} is INVALID: run REINDEX INDEX CONCURRENTLY"
        " {leaf}_status_idx",
    ),
]


def test_what_a_partition_lacks_is_drift(
    settings: Settings, connection: psycopg.Connection
) -> None:
    expected = set()
    leaves = [partition.name for partition in existing(connection, MESSAGES)]
    for leaf, (change, told) in zip(leaves, LEAF_DRIFTS, strict=False):
        connection.execute(change.format(leaf=leaf).encode())
        expected.add(told.format(leaf=leaf))
    assert {str(drift) for drift in check(settings)} == expected


def test_an_index_that_only_the_table_has_is_missing_in_each_partition(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DROP INDEX idx_message_logs_status")
    connection.execute("CREATE INDEX idx_message_logs_status ON ONLY message_logs (status)")
    found = check(settings)
    leaves = [partition.name for partition in existing(connection, MESSAGES)]
    assert str(found[0]) == (
        "index idx_message_logs_status on message_logs is INVALID: run `bdaysched migrate`, which"
        " builds what its partitions lack"
    )
    assert [drift.object for drift in found[1:]] == [
        f"index idx_message_logs_status on {leaf}" for leaf in leaves
    ]


def test_a_pending_migration_is_no_drift(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("DELETE FROM schema_migrations WHERE version >= '0005'")
    connection.execute("DROP TABLE queue_pause, partition_events, heartbeats")
    connection.execute("ALTER TABLE message_logs DROP COLUMN lease_token, DROP COLUMN attempts")
    assert check(settings) == []


def test_a_database_without_migrations_is_told_what_to_run(empty_database: str) -> None:
    with pytest.raises(NotUpToDate, match=r"`bdaysched migrate`, or .* baseline`"):
        check(Settings(database_url=empty_database))
