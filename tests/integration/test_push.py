"""A development database is brought straight to sql/schema.sql; any other one is left alone."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import catalog
from birthday_cli.db.connect import connect_to
from birthday_cli.db.development import mark
from birthday_cli.db.partitions import MESSAGES, existing
from birthday_cli.domain.schema_diff import differences
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.schema.build import from_file, without_grants
from birthday_cli.pipeline.schema.push import Pushed, push
from tests.facts import add_message, add_user
from tests.integration.conftest import Edit


@pytest.fixture
def development(settings: Settings) -> Settings:
    with connect_to(settings.database_url, settings) as connection:
        mark(connection)
    return settings


def test_a_database_that_is_not_marked_is_refused(settings: Settings, edit: Edit) -> None:
    edit("", "CREATE TABLE wishes (id int);")
    with pytest.raises(UsageError, match="is not marked as a development database"):
        push(settings)


def test_it_becomes_what_schema_sql_says_and_its_partitions_stay(
    development: Settings, connection: psycopg.Connection, edit: Edit
) -> None:
    add_message(connection)
    leaves = existing(connection, MESSAGES)
    for old, new in (
        ("", "CREATE TABLE wishes (user_id uuid PRIMARY KEY REFERENCES users, text text);"),
        ("    message_content  ", "note text NOT NULL DEFAULT '', message_content"),
        ("", "CREATE INDEX by_note ON message_logs (note);"),
        ("_logs_status ON message_logs USING btree (", "_logs_status ON message_logs (note, "),
        ("NEW.updated_at := now();", "NEW.updated_at := clock_timestamp();"),
        ("    CONSTRAINT users_pkey", "CHECK (email <> ''), CONSTRAINT users_pkey"),
    ):
        edit(old, new)
    told = push(development, dry_run=True)
    assert told.losses == []
    assert push(development) == told
    with connect_to(development.database_url, development) as ours:
        live = without_grants(catalog.read(ours))
        assert catalog.faulty_leaves(ours) == []
    expected = without_grants(from_file(development, development.database_url))
    assert differences(live, expected) == []
    assert existing(connection, MESSAGES) == leaves
    assert connection.execute("SELECT count(*) FROM message_logs").fetchone() == (1,)
    assert push(development) == Pushed([], [])


def test_every_loss_of_data_is_named_and_has_to_be_accepted(
    development: Settings, connection: psycopg.Connection, edit: Edit
) -> None:
    add_user(connection)
    connection.execute("UPDATE users SET location_city = 'London'")
    edit("    location_city     text,", "")
    edit("    location_country  text,", "location_country varchar(2),")
    edit("CREATE TABLE queue_pause", "CREATE TABLE stops")
    edit("queue_pause_pkey", "stops_pkey")
    losses = [
        "column users.location_country loses what of its values character varying(2) cannot hold,"
        " in 0 rows",
        "table queue_pause loses all of its rows, in 0 rows",
        "column users.location_city loses all of its values, in 1 rows",
    ]
    with pytest.raises(UsageError, match="--accept-data-loss") as refused:
        push(development)
    assert all(loss in str(refused.value) for loss in losses)
    assert connection.execute("SELECT location_city FROM users").fetchall() == [("London",)]
    assert sorted(push(development, accept_data_loss=True).losses) == sorted(losses)


def test_a_partitioned_table_is_not_dropped(
    development: Settings, sql: Path, connection: psycopg.Connection
) -> None:
    (sql / "schema.sql").write_text("CREATE TABLE only_one (id int);")
    with pytest.raises(BdayschedError, match="has partitions, which push does not drop"):
        push(development, accept_data_loss=True)
    assert existing(connection, MESSAGES)


def test_what_the_server_refuses_changes_nothing(
    development: Settings, connection: psycopg.Connection, edit: Edit
) -> None:
    add_user(connection)
    edit("", "CREATE TABLE wishes (id int);")
    edit("    deleted_at        timestamptz,", "deleted_at timestamptz, age int NOT NULL,")
    with pytest.raises(BdayschedError, match=r"ADD COLUMN age .*contains null values.*Nothing was"):
        push(development)
    assert connection.execute("SELECT to_regclass('wishes')").fetchone() == (None,)
