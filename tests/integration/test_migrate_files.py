"""Files that cannot be applied, databases that are not ours: each is one clear sentence."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.migrations_verify import failed_checks
from birthday_cli.errors import BdayschedError, NotUpToDate, UsageError
from birthday_cli.pipeline.schema.migrate import migrate
from tests.migrating import NOW, Folder, own_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return own_folder(tmp_path, monkeypatch)


@pytest.fixture
def empty(empty_database: str) -> Settings:
    return Settings(database_url=empty_database)


def ask(settings: Settings, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def refusal(settings: Settings, folder: Folder) -> str:
    """Return the one line with which a run ends."""
    with pytest.raises(BdayschedError) as refused:
        folder.migrate(settings)
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("SELECT 1;\nSELECT 'é';\n".encode("latin-1"), r":2: byte 0xe9 is not UTF-8 .*save it as"),
        ("SELECT 1;\n".encode("utf-16"), r":1: byte 0xff is not UTF-8"),
        (b"SELECT 1;\n\0", r":2: holds a NUL character"),
        ("CREATE TABLE u (a int);\nSELECT 'a;\n", r":2:8: the quoted text that begins here has no"),
        ("DO $body$ BEGIN NULL; END $bod", r":1:4: the text in \$body\$ that begins here has no"),
        ("CREATE TABLE u (a int", r":1:16: the parenthesis that opens here is not closed"),
        ("CREATE TABLE u (a int)", r":1:1: the statement that begins here does not end with a"),
        ("", r":1:1: there is no statement"),
        ("SELECT 1;\nCOMMIT;\n", r":2:1: COMMIT has no place in a migration"),
    ],
    ids=["latin-1", "utf-16", "nul", "quote", "dollar", "parenthesis", "end", "empty", "commit"],
)
def test_a_file_that_is_not_whole_stops_the_run_before_the_first_file(
    empty: Settings, folder: Folder, content: str | bytes, said: str
) -> None:
    folder.write("0001_table.sql", "CREATE TABLE t (a int);\n")
    folder.write("0002_next.sql", content)
    with pytest.raises(BdayschedError, match=rf"^0002_next\.sql{said}"):
        folder.migrate(empty)
    assert ask(empty, "SELECT to_regclass('t'), to_regclass('u')") == [(None, None)]


def test_line_ends_and_a_byte_order_mark_make_no_difference(
    empty: Settings, folder: Folder
) -> None:
    text = "CREATE TABLE t (a text);\nINSERT INTO t VALUES ('one\ntwo');\n-- verify\nSELECT true;\n"
    file = folder.write("0001_table.sql", b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    folder.migrate(empty)
    assert ask(empty, "TABLE t") == [("one\ntwo",)]
    file.write_text(text)
    assert folder.migrate(empty) == []


def test_an_empty_folder_is_an_installation_that_is_not_whole(
    empty: Settings, folder: Folder
) -> None:
    folder.write("0001_table.sql", "CREATE TABLE t (a int);\n").rename(folder.path / "0001")
    assert "there is no migration in" in refusal(empty, folder)


@pytest.mark.parametrize(
    "columns", ["version varchar(128) PRIMARY KEY", "version bigint, dirty boolean"]
)
def test_the_record_of_another_program_is_not_touched(
    empty: Settings, folder: Folder, columns: str
) -> None:
    folder.write("0001_table.sql", "CREATE TABLE t (a int);\n")
    ask(empty, f"CREATE TABLE schema_migrations ({columns})")
    said = refusal(empty, folder)
    assert "schema_migrations in this database is another program's" in said
    assert "check DATABASE_URL" in said
    assert ask(empty, "SELECT to_regclass('t'), count(*) FROM schema_migrations") == [(None, 0)]


def test_tables_without_a_record_are_another_programs_work(empty: Settings, folder: Folder) -> None:
    folder.write("0001_table.sql", "CREATE TABLE t (a int);\n")
    ask(empty, "CREATE TABLE users (id int)")
    with pytest.raises(NotUpToDate, match=r"has users and no record of migrations.* baseline"):
        folder.migrate(empty)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "CREATE TABLE t (nickname text);\nSELECT 'é\nü',\n  nickame FROM t;\n",
            ':4:3: column "nickame" does not exist. Hint: Perhaps you meant to reference the'
            ' column "t.nickname". Nothing of this file was applied',
        ),
        (
            "SELECT 1;\n\n  DO $$ BEGIN RAISE EXCEPTION E'no\\nway'"
            " USING HINT = 'ask', DETAIL = 'x'; END $$;\n",
            ":3:3: no way (x). Hint: ask. Where: PL/pgSQL function inline_code_block line 1 at"
            " RAISE. Nothing of this file was applied",
        ),
        (
            "CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
            ":2:1: CREATE INDEX CONCURRENTLY cannot run inside a transaction block. Hint: begin the"
            " file with the line `-- bdaysched: no-transaction`. Nothing of this file was applied",
        ),
        (
            "-- bdaysched: no-transaction\nVACUUM nothing;\n",
            ':2:1: relation "nothing" does not exist. The file is not recorded: the next run puts'
            " right what it left",
        ),
    ],
    ids=["position", "function", "transaction", "alone"],
)
def test_an_error_points_at_its_place_with_the_servers_words(
    empty: Settings, folder: Folder, text: str, said: str
) -> None:
    folder.write("0001_wrong.sql", text)
    assert refusal(empty, folder).startswith(f"0001_wrong.sql{said}")
    assert ask(empty, "SELECT to_regclass('t'), count(*) FROM schema_migrations") == [(None, 0)]


@pytest.mark.parametrize(
    ("check", "got"),
    [
        ("SELECT count(*) = 0 FROM t", "False"),
        ("SELECT NULL::boolean", "None"),
        ("SELECT 1", "1"),
        ("SELECT true WHERE false", "no row"),
        ("VALUES (true), (true)", "more than one row"),
        ("SET search_path = public", "no row"),
    ],
)
def test_a_migration_that_fails_its_verification_is_rolled_back(
    empty: Settings, folder: Folder, check: str, got: str
) -> None:
    folder.write(
        "0001_table.sql",
        f"CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n-- verify\nSELECT true;\n{check};\n",
    )
    said = refusal(empty, folder)
    assert f"0001_table.sql:5:1: the verification failed: the query returned {got}, not" in said
    assert ask(empty, "SELECT to_regclass('t')") == [(None,)]


def test_what_was_verified_can_be_verified_again(empty: Settings, folder: Folder) -> None:
    folder.write("0001_table.sql", "CREATE TABLE t ();\n-- verify\nSELECT count(*) = 0 FROM t;\n")
    folder.write("0002_other.sql", "CREATE TABLE u ();\n-- verify\nSELECT count(*) = 0 FROM u;\n")
    folder.migrate(empty)
    with psycopg.connect(empty.database_url, autocommit=True) as connection:
        assert failed_checks(connection) == []
        connection.execute("INSERT INTO t DEFAULT VALUES")
        connection.execute("DROP TABLE u")
        broken, gone = failed_checks(connection)
    assert broken.startswith("0001_table.sql:3:1: the verification failed")
    assert gone.startswith('0002_other.sql:3:26: relation "u" does not exist')


def test_what_a_file_sets_is_nothing_to_the_next_one_nor_to_the_record(
    empty: Settings, folder: Folder
) -> None:
    role = ask(empty, "SELECT current_user")[0][0]
    folder.write(
        "0001_sets.sql",
        "SET search_path = pg_catalog;\nSET ROLE pg_monitor;\nSET statement_timeout = 1;\n",
    )
    folder.write(
        "0002_next.sql",
        "CREATE TABLE t AS SELECT current_user::text AS a,"
        " current_setting('statement_timeout') AS b;\n",
    )
    folder.migrate(empty)
    assert ask(empty, "TABLE t") == [(role, "0")]


def test_a_version_to_stop_at_is_the_last_that_is_applied(empty: Settings, folder: Folder) -> None:
    for number in (1, 2, 3):
        folder.write(f"000{number}_table.sql", f"CREATE TABLE t{number} ();\n")
    assert migrate(empty, NOW, to="0002").migrations == ["0001_table.sql", "0002_table.sql"]
    assert migrate(empty, NOW, to="0001").migrations == []
    with pytest.raises(UsageError, match="--to 0004: there is no such migration; the last is 0003"):
        migrate(empty, NOW, to="0004")
    assert ask(empty, "SELECT to_regclass('t3')") == [(None,)]
