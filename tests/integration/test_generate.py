"""An edit of sql/schema.sql becomes migrations that have proved themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.schema.check import check
from birthday_cli.pipeline.schema.dump import dump
from birthday_cli.pipeline.schema.generate import Generated, empty, generate
from birthday_cli.pipeline.schema.lint import lint
from birthday_cli.pipeline.schema.migrate import migrate
from tests.facts import add_message
from tests.integration.conftest import Edit

NOW = datetime.now(UTC)


def text(done: Generated) -> str:
    return "".join(done.files.values())


def test_nothing_is_generated_from_what_the_migrations_build(settings: Settings) -> None:
    assert generate(settings, NOW, "nothing") == Generated()


EDITS = [
    ("", "CREATE TABLE wishes (user_id uuid PRIMARY KEY REFERENCES users, text text NOT NULL);"),
    ("", "CREATE INDEX wishes_text ON wishes (text);"),
    ("    deleted_at        timestamptz,", "deleted_at timestamptz, nick month_day,"),
    ("    location_city     text,", "location_city text DEFAULT 'Ulm' NOT NULL,"),
    (
        "    CONSTRAINT users_pkey PRIMARY KEY (id),",
        "CONSTRAINT users_pkey PRIMARY KEY (id), CONSTRAINT named CHECK (first_name <> ''),"
        "CONSTRAINT one UNIQUE (email, id) DEFERRABLE,"
        "CONSTRAINT bosses FOREIGN KEY (id) REFERENCES users DEFERRABLE,",
    ),
    (
        "    expires_at           timestamptz",
        "note text CHECK (note <> ''), expires_at timestamptz",
    ),
    ("", "CREATE INDEX by_nick ON users (lower(nick));"),
    ("", "CREATE INDEX by_note ON message_logs (note, status);"),
    ("_user_id ON message_logs USING btree (user_id)", "_user_id ON message_logs (user_id, id)"),
    ("_birthday_date ON users USING btree (", "_birthday_date ON users (id, "),
    ("CREATE INDEX idx_users_anniversary_date", "-- CREATE INDEX idx_users_anniversary_date"),
    ("NEW.updated_at := now();", "NEW.updated_at := clock_timestamp();"),
    ("the oldest first", "the newest last"),
    ("", "CREATE VIEW nicks AS SELECT id, nick FROM users;"),
    ("", "COMMENT ON VIEW nicks IS 'of those who have one';"),
    ("", "GRANT SELECT ON nicks TO PUBLIC;"),
]
SAFE = """
ALTER INDEX idx_message_logs_user_id RENAME TO idx_message_logs_user_id_old;
ALTER TABLE message_logs ADD CONSTRAINT message_logs_note_check CHECK (note <> ''::text) NOT VALID;
ALTER TABLE users ADD CONSTRAINT location_city_is_set CHECK (location_city IS NOT NULL) NOT VALID;
ALTER TABLE users ADD CONSTRAINT bosses FOREIGN KEY (id) REFERENCES users(id) DEFERRABLE NOT VALID;
CREATE INDEX wishes_text ON wishes USING btree (text);
CREATE INDEX by_note ON ONLY message_logs USING btree (note, status);
CREATE INDEX idx_message_logs_user_id ON ONLY message_logs USING btree (user_id, id);
-- bdaysched: no-transaction
CREATE UNIQUE INDEX CONCURRENTLY one ON users (email, id);
-- bdaysched: no-transaction
CREATE INDEX CONCURRENTLY by_nick ON users USING btree (lower(nick::text));
ALTER TABLE users ADD CONSTRAINT one UNIQUE USING INDEX one DEFERRABLE;
ALTER TABLE message_logs VALIDATE CONSTRAINT message_logs_note_check;
ALTER TABLE users VALIDATE CONSTRAINT location_city_is_set;
ALTER TABLE users VALIDATE CONSTRAINT bosses;
ALTER TABLE users VALIDATE CONSTRAINT named;
-- bdaysched: no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_users_birthday_date_old;
-- bdaysched: no-transaction
DROP INDEX CONCURRENTLY IF EXISTS idx_users_anniversary_date;
DROP INDEX IF EXISTS idx_message_logs_user_id_old;
ALTER TABLE users ALTER COLUMN location_city SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT location_city_is_set;
"""


def test_an_edit_becomes_safe_migrations_that_lead_to_it_in_a_live_database(
    settings: Settings, connection: psycopg.Connection, sql: Path, edit: Edit
) -> None:
    add_message(connection)
    connection.execute("UPDATE users SET location_city = 'London'")
    for old, new in EDITS:
        edit(old, new)
    done = generate(settings, NOW, "wishes")
    lines = iter(text(done).splitlines())
    # All of them are there, in this order, with others between.
    assert [line for line in SAFE.strip().splitlines() if line not in lines] == []
    assert lint([sql / "migrations" / file for file in done.files]).findings == []
    assert migrate(settings, NOW).migrations == list(done.files)
    assert check(settings) == []
    assert dump(settings, dry_run=True).difference == ""


def written(sql: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sql.rglob("*.sql")}


def refusal(settings: Settings, sql: Path, *renames: str) -> BdayschedError:
    """Return why nothing is generated, and nothing written."""
    before = written(sql)
    with pytest.raises(BdayschedError) as refused:
        generate(settings, NOW, "refused", renames)
    assert written(sql) == before
    return refused.value


def test_what_does_not_prove_itself_is_not_written(
    settings: Settings, sql: Path, edit: Edit
) -> None:
    # The partitions' own triggers, which no statement of the difference makes.
    edit(
        "",
        "CREATE TRIGGER seen AFTER TRUNCATE ON message_logs"
        " EXECUTE FUNCTION refuse_message_key_change();",
    )
    refused = refusal(settings, sql)
    assert "does not lead to sql/schema.sql" in str(refused)
    faults = refused.detail.splitlines()
    assert len(faults) > 2
    assert all(line.startswith("trigger seen on message_logs_2") for line in faults)


def test_what_the_sample_data_does_not_obey_is_not_written(
    settings: Settings, sql: Path, edit: Edit
) -> None:
    edit("    CONSTRAINT users_pkey", "CONSTRAINT none CHECK (email = ''), CONSTRAINT users_pkey")
    assert "_refused_validate.sql:2:1: check constraint" in str(refusal(settings, sql))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "CREATE TYPE mood AS ENUM ('good');", "type mood: .*by hand.*--empty"),
        ("    location_city     text,", "location_city text, a int NOT NULL,", "Give it a DEFAULT"),
        ("RANGE (delivery_date)", "LIST (message_type)", "partition_key cannot be changed"),
        (
            "    reason        text,",
            "",
            "queue_pause.reason loses all of its values: give --accept",
        ),
    ],
    ids=["kind", "not null", "partition key", "loss"],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(
    settings: Settings, sql: Path, edit: Edit, old: str, new: str, told: str
) -> None:
    edit(old, new)
    assert re.search(told, str(refusal(settings, sql)))


def test_a_loss_that_is_accepted_and_a_rename_that_is_told_keep_every_other_value(
    settings: Settings, edit: Edit
) -> None:
    for old, new in (
        ("    location_city     text,", "town text,"),
        ("    location_country  text,", ""),
        ("CREATE TABLE queue_pause", "CREATE TABLE stops"),
    ):
        edit(old, new)
    done = generate(
        settings, NOW, "rename", ("users.location_city=town", "queue_pause=stops"), True
    )
    assert list(done.files.values()) == [
        "ALTER TABLE users RENAME COLUMN location_city TO town;\n"
        "ALTER TABLE queue_pause RENAME TO stops;\n"
        "ALTER TABLE users DROP COLUMN location_country;\n"
    ]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("users", "write it like"),
        ("nothing=something", "build nothing of that name"),
        ("users.email=timezone", "already exists"),
    ],
)
def test_a_rename_that_cannot_be_is_said_so(
    settings: Settings, sql: Path, told: str, why: str
) -> None:
    assert re.search(f"--rename {told}: .*{why}", str(refusal(settings, sql, told)))


def test_an_empty_one_has_the_next_number_and_waits_to_be_filled(
    settings: Settings, sql: Path
) -> None:
    (file,) = empty("by_hand").files
    assert (sql / "migrations" / file).exists()
    with pytest.raises(BdayschedError, match=f"{file}.*there is no statement"):
        migrate(settings, NOW)
    with pytest.raises(UsageError, match="write it like add_a_column"):
        empty("By hand")
