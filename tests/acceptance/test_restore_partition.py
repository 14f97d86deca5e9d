"""`restore-partition`, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from birthday_cli.pipeline.partitions.archive import archive
from tests.acceptance.conftest import OnTerminal, Program, write
from tests.archiving import NAME, differences, fill, keep_copy, take_away


@pytest.fixture
def archived(database: str, tmp_path: Path) -> str:
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        fill(connection)
        keep_copy(connection)
        done = archive(connection, NAME, str(tmp_path / "archive"), "me")
        take_away(connection)
    return done.manifest


async def test_a_month_is_brought_back(program: Program, database: str, archived: str) -> None:
    would = await program.run("restore-partition", archived, "--dry-run")
    assert (would.code, would.out) == (0, "")
    assert would.err == f"would restore {NAME}: 7 FAILED, 12 SENT\n"
    ended = await program.run("restore-partition", archived)
    assert (ended.code, ended.err) == (0, f"restored {NAME}: 7 FAILED, 12 SENT\n")
    again = await program.run("restore-partition", archived)
    assert again.err == f"nothing to do: {NAME} is there already (7 FAILED, 12 SENT)\n"
    with psycopg.connect(database) as connection:
        assert differences(connection) == 0


async def test_json_says_the_same(program: Program, archived: str) -> None:
    ended = await program.run("restore-partition", archived, "--beside", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "dry_run": False,
        "partition": NAME,
        "table": f"{NAME}_restored",
        "is_attached": False,
        "rows": {"FAILED": 7, "SENT": 12},
        "left_out": 0,
        "is_new": True,
    }


async def test_a_table_beside_is_no_drift(program: Program, database: str, archived: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DROP TABLE kept")
    assert (await program.run("restore-partition", archived, "--beside")).code == 0
    ended = await program.run("schema", "check")
    assert ended.code == 0, ended.out


async def test_a_damaged_archive_ends_with_1_and_one_line(program: Program, archived: str) -> None:
    data = archived.replace(".manifest.json", ".parquet")
    write(data, b"cut off")
    ended = await program.run("restore-partition", archived)
    assert ended.code == 1
    assert f"{data} has " in ended.explanation


async def test_without_a_database_it_ends_with_3(program: Program, archived: str) -> None:
    away = "postgresql://nobody@127.0.0.1:1/none"
    ended = await program.run("restore-partition", archived, DATABASE_URL=away)
    assert ended.code == 3
    assert ended.explanation


async def test_a_file_that_is_not_there_is_named(program: Program) -> None:
    ended = await program.run("restore-partition", "no/message_logs_2020_01.parquet")
    assert ended.code == 1
    assert "no/message_logs_2020_01.manifest.json" in ended.explanation


def test_it_fits_a_terminal_of_80_columns(on_terminal: OnTerminal, archived: str) -> None:
    shown = on_terminal("restore-partition", archived, "--dry-run")
    assert shown.strip() == f"would restore {NAME}: 7 FAILED, 12 SENT"
