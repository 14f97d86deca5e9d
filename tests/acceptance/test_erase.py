from __future__ import annotations

import json

import psycopg

from birthday_cli.db.locks import Lock
from birthday_cli.db.queries import query as sql
from tests.acceptance.conftest import OnTerminal, Program, Query
from tests.facts import add_message, add_user


async def test_what_goes_is_shown_before_and_after(
    program: Program, query: Query, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        ada = add_user(connection, email="ada@example.com")
        add_message(connection, status="SENT", user_id=ada)
    shown = "table\trows\nmessage_guard\t1\nmessage_logs\t1\nchanged_users\t1\nusers\t1\n"

    tried = await program.run("users", "erase", "ada@example.com", "--dry-run")
    assert (tried.code, tried.out) == (0, shown)
    assert tried.err == "would erase ada@example.com\n"
    refused = await program.run("users", "erase", "ada@example.com")
    assert (refused.code, "--yes" in refused.explanation) == (2, True)
    assert query("SELECT count(*) FROM message_logs JOIN users ON users.id = user_id") == [(1,)]

    done = await program.run("users", "erase", str(ada), "--yes")
    assert (done.code, done.out, done.err) == (0, shown, "erased ada@example.com\n")
    assert query("SELECT count(*) FROM message_logs") == query("SELECT count(*) FROM users")
    gone = await program.run("users", "erase", "ada@example.com", "--yes")
    assert (gone.code, "there is no user" in gone.explanation) == (1, True)


async def test_a_deleted_user_can_be_erased(program: Program, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        ada = add_user(connection, email="ada@example.com")
    assert (await program.run("users", "delete", "ada@example.com", "--yes")).code == 0
    done = await program.run("users", "erase", "ada@example.com", "--yes", "--json")
    result = json.loads(done.out)
    assert (result["dry_run"], result["erased"]["id"]) == (False, str(ada))
    assert result["rows"]["users"] == 1


async def test_beside_a_run_of_schedule_it_gives_up(
    program: Program, query: Query, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_user(connection, email="ada@example.com")
        connection.execute(sql("locks/try_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
        ended = await program.run("users", "erase", "ada@example.com", "--yes")
    assert (ended.code, "schedule lock" in ended.explanation) == (75, True)
    assert query("SELECT count(*) FROM users") == [(1,)]


def test_on_a_terminal_it_asks(on_terminal: OnTerminal, query: Query, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_user(connection, email="ada@example.com")
    left = on_terminal("users", "erase", "ada@example.com", answer="n\n")
    assert "Erase Ada Lovelace <ada@example.com> for good?" in left
    assert query("SELECT count(*) FROM users") == [(1,)]
    on_terminal("users", "erase", "ada@example.com", answer="y\n")
    assert query("SELECT count(*) FROM users") == [(0,)]
