"""sql/schema.sql is the whole schema, and says the same as the migrations."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import catalog
from birthday_cli.db.connect import connect_to
from birthday_cli.domain.schema_diff import differences
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.schema.build import from_file, from_migrations, schema_file
from birthday_cli.pipeline.schema.dump import dump
from tests.servers.postgres import PostgresServer


@pytest.fixture
def server(postgres_server: PostgresServer) -> Settings:
    return Settings(database_url=postgres_server.url())


def test_schema_sql_is_what_the_migrations_build_on_either_server(server: Settings) -> None:
    assert dump(server, dry_run=True).difference == ""


def test_it_builds_the_whole_schema_in_an_empty_database(
    server: Settings, empty_database: str
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(schema_file().read_text().encode())
    with connect_to(empty_database, server) as connection:
        built = catalog.read(connection)
    assert differences(built, from_migrations(server, server.database_url)) == []


def test_a_migration_without_its_part_in_schema_sql_is_noticed_and_dumped(
    server: Settings, sql: Path
) -> None:
    (sql / "migrations" / "9999_wishes.sql").write_text(
        "CREATE TABLE wishes (name text PRIMARY KEY);\nCOMMENT ON TABLE wishes IS 'it''s a wish';\n"
    )
    told = dump(server, dry_run=True).difference
    assert "+CREATE TABLE wishes (" in told
    assert "+COMMENT ON TABLE wishes IS 'it''s a wish';" in told
    assert "wishes" not in (sql / "schema.sql").read_text()
    assert dump(server).difference == told
    assert dump(server).difference == ""


def test_what_is_wrong_in_schema_sql_is_told_with_its_place(server: Settings, sql: Path) -> None:
    (sql / "schema.sql").write_text("CREATE TABLE a (b int);\n\nCREATE TABLE c (d nonsense);\n")
    with pytest.raises(BdayschedError, match=r'schema\.sql:3:19: type "nonsense" does not exist'):
        from_file(server, server.database_url)
    (sql / "schema.sql").write_text("CREATE TABLE a (\n")
    with pytest.raises(BdayschedError, match=r"schema\.sql:1:16: .*not closed"):
        from_file(server, server.database_url)


EVERYTHING = """
CREATE DOMAIN short AS text DEFAULT 'x' NOT NULL CONSTRAINT few CHECK (length(VALUE) < 9);
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n * 2;
CREATE TABLE "Odd name" (
    "select" integer PRIMARY KEY,
    number integer GENERATED ALWAYS AS IDENTITY,
    doubled integer GENERATED ALWAYS AS (twice("select")) STORED,
    word short COLLATE "C",
    CONSTRAINT positive CHECK (twice(number) > 0) NO INHERIT,
    EXCLUDE USING btree (word WITH =)
);
CREATE UNLOGGED TABLE fast (a integer UNIQUE NULLS NOT DISTINCT, b integer);
CREATE TABLE left_one (id integer PRIMARY KEY, other integer);
CREATE TABLE right_one (id integer PRIMARY KEY, other integer REFERENCES left_one);
ALTER TABLE left_one ADD FOREIGN KEY (other) REFERENCES right_one ON DELETE SET NULL
    DEFERRABLE INITIALLY DEFERRED;
CREATE VIEW doubles WITH (security_barrier = true) AS
    SELECT doubled, twice(doubled) FROM "Odd name";
CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM doubles;
CREATE UNIQUE INDEX kept_n ON kept (n);
CREATE INDEX odd ON "Odd name" (twice(number) DESC NULLS LAST, lower(word)) INCLUDE (doubled)
    WHERE number > 3;
CREATE FUNCTION every_fast() RETURNS SETOF fast LANGUAGE sql AS 'SELECT * FROM fast';
CREATE PROCEDURE empty_fast() LANGUAGE sql BEGIN ATOMIC DELETE FROM fast; END;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OF a ON fast FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE fast DISABLE TRIGGER refuse;
COMMENT ON COLUMN "Odd name"."select" IS 'it''s \\ odd';
COMMENT ON CONSTRAINT few ON DOMAIN short IS 'few';
COMMENT ON CONSTRAINT positive ON "Odd name" IS 'more than none';
COMMENT ON FUNCTION twice(integer) IS 'two times';
COMMENT ON DOMAIN short IS 'not long';
COMMENT ON INDEX odd IS 'an index';
COMMENT ON TRIGGER refuse ON fast IS 'a trigger';
COMMENT ON VIEW doubles IS 'a view';
GRANT SELECT, INSERT (a) ON fast TO PUBLIC;
REVOKE EXECUTE ON FUNCTION twice FROM PUBLIC;
"""


def test_every_kind_of_object_is_dumped_and_comes_back_the_same(
    server: Settings, sql: Path, empty_database: str
) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(EVERYTHING.encode())
    from birthday_cli.domain.schema_sql import dump as as_text

    with connect_to(empty_database, server) as connection:
        expected = catalog.read(connection)
    text = as_text(expected)
    (sql / "schema.sql").write_text(text)
    again = from_file(server, server.database_url)
    assert differences(again, expected) == []
    assert as_text(again) == text
