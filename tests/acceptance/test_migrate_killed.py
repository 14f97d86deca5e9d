"""`migrate`, killed wherever it may be: the next run goes on, and each file is applied once."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import psycopg
import pytest

from birthday_cli.db import queries
from birthday_cli.db.migrations import available

FILES = {
    "0900_steps.sql": "CREATE TABLE steps (name text NOT NULL);\nCREATE TABLE more (a integer);\n",
    "0901_long.sql": "".join(
        f"INSERT INTO steps VALUES ('step {number}');\n"
        f"ALTER TABLE users ADD COLUMN extra_{number} text;\n"
        for number in range(3)
    ),
    "0902_index.sql": "-- bdaysched: no-transaction\n"
    "CREATE INDEX CONCURRENTLY idx_steps_name ON steps (name);\n",
    "0903_last.sql": "INSERT INTO steps VALUES ('last');\n-- verify\n"
    "SELECT count(*) = 4 FROM steps;\n",
}
STATEMENTS = {"0900_steps.sql": 2, "0901_long.sql": 6, "0902_index.sql": 1, "0903_last.sql": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The program's SQL, with some migrations more."""
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    for name, text in FILES.items():
        (copy / "migrations" / name).write_text(text)
    return copy


async def start(folder: Path, database: str, *place: object) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.acceptance.killed_migrate",
        str(folder),
        *map(str, place),
        cwd=Path(__file__).parents[2],
        env={"DATABASE_URL": database, "PATH": "/usr/bin:/bin"},
        stdout=PIPE,
        stderr=PIPE,
    )


async def end(process: Process) -> tuple[int | None, str]:
    _, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode, err.decode()


def ask(database: str, statement: str) -> list[Any]:
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def assert_applied_once(database: str) -> None:
    recorded = [name for (name,) in ask(database, "SELECT version FROM schema_migrations")]
    files = [*(migration.version for migration in available()), *(name[:4] for name in FILES)]
    assert sorted(recorded) == sorted(files)
    steps = ask(database, "SELECT name FROM steps ORDER BY name")
    assert [name for (name,) in steps] == ["last", "step 0", "step 1", "step 2"]
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert ask(database, invalid) == [(0,)]


async def test_killed_between_every_two_statements_it_converges(
    folder: Path, database: str
) -> None:
    for file, statements in STATEMENTS.items():
        for place in range(statements + 1):
            code, err = await end(await start(folder, database, file, place))
            assert code == -9, err
            applied = ask(database, "SELECT version FROM schema_migrations WHERE version >= '0900'")
            assert file[:4] not in {version for (version,) in applied}
    code, err = await end(await start(folder, database))
    assert code == 0, err
    assert_applied_once(database)


async def test_four_at_once_killed_at_random_converge(folder: Path, database: str) -> None:
    chance = random.Random(1)
    for _ in range(10):
        runs = [await start(folder, database) for _ in range(4)]
        # From before the first connection to after the last file.
        await asyncio.sleep(chance.uniform(0.5, 2))
        killed = chance.choice(runs)
        if killed.returncode is None:
            killed.kill()
        for run in runs:
            code, err = await end(run)
            assert code == 0 or run is killed, err
        assert_applied_once(database)
        start_over(database)


def start_over(database: str) -> None:
    columns = ", ".join(f"DROP COLUMN extra_{number}" for number in range(3))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP TABLE steps, more")
        connection.execute(f"ALTER TABLE users {columns}".encode())
        connection.execute("DELETE FROM schema_migrations WHERE version >= '0900'")
