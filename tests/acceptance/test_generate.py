"""generate and push by their output; nothing of the checkout is changed."""

from __future__ import annotations

import json

import psycopg

from birthday_cli.db.migrations import available
from tests.acceptance.conftest import Program


async def test_generate_has_nothing_to_do_where_schema_sql_is_what_the_migrations_build(
    program: Program,
) -> None:
    ended = await program.run("generate", "nothing")
    assert (ended.code, ended.out) == (0, "")
    assert "nothing to do" in ended.err
    ended = await program.run("generate", "by_hand", "--empty", "--dry-run", "--json")
    number = int(available()[-1].version) + 1
    assert list(json.loads(ended.out)["files"]) == [f"{number:04}_by_hand.sql"]
    ended = await program.run("generate", "renamed", "--rename", "nobody=somebody")
    assert ended.code == 2
    assert "--rename nobody=somebody: the migrations build nothing" in ended.explanation


async def test_push_shows_what_it_would_run_and_lose(program: Program, database: str) -> None:
    ended = await program.run("push")
    assert ended.code == 2
    assert "is not marked as a development database" in ended.explanation
    assert (await program.run("reset", "--mark", "--yes")).code == 0
    with psycopg.connect(database) as connection:
        connection.execute("DROP INDEX idx_users_email_unique")
        connection.execute("CREATE TABLE tried (id int)")
    ended = await program.run("push", "--dry-run")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "CREATE UNIQUE INDEX idx_users_email_unique ON users USING btree (email)"
        " WHERE deleted_at IS NULL;",
        "DROP TABLE tried;",
    ]
    assert "would be lost: table tried loses all of its rows, in 0 rows" in ended.err
    ended = await program.run("push")
    assert ended.code == 2
    assert "--accept-data-loss" in ended.explanation
    ended = await program.run("push", "--accept-data-loss", "--json")
    assert len(json.loads(ended.out)["statements"]) == 2
    assert (await program.run("schema", "check")).code == 0
