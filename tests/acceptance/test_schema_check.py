"""The commands over the schema, by their exit codes and documents."""

from __future__ import annotations

import json

import psycopg

from tests.acceptance.conftest import Program


async def test_check_ends_with_0_without_drift_and_with_6_and_a_line_for_each(
    program: Program, database: str
) -> None:
    ended = await program.run("schema", "check")
    assert (ended.code, ended.out) == (0, "")
    with psycopg.connect(database) as connection:
        connection.execute("DROP INDEX idx_users_email_unique")
        connection.execute("CREATE TABLE theirs ()")
    ended = await program.run("schema", "check")
    assert ended.code == 6
    assert [line.partition(":")[0] for line in ended.out.splitlines()] == [
        "table theirs is not from the migrations",
        "index idx_users_email_unique on users is missing",
    ]
    ended = await program.run("schema", "check", "--json")
    assert (ended.code, len(json.loads(ended.out)["drift"])) == (6, 2)


async def test_check_and_dump_speak_json(program: Program) -> None:
    ended = await program.run("schema", "check", "--json")
    assert json.loads(ended.out) == {"drift": []}
    ended = await program.run("schema", "dump", "--dry-run", "--json")
    assert json.loads(ended.out)["difference"] == ""
    ended = await program.run("schema", "baseline", "--dry-run", "--json")
    assert json.loads(ended.out) == {"dry_run": True, "recorded": []}
