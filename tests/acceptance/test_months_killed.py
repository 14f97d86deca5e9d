"""The commands over months, killed wherever something changes: the next run ends as it should."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import partition_events, partitions
from birthday_cli.db.partitions import MESSAGES, State
from birthday_cli.domain.months import Month
from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.partitions.archive import verify
from birthday_cli.pipeline.partitions.months import create
from birthday_cli.pipeline.retain import drop
from tests.acceptance.conftest import Program
from tests.facts import NOW, add_message

THIS = Month.of(NOW)
LONG_AFTER = THIS.plus(12).start
# At most so many statements change something, so that the test ends also if none kills.
ENOUGH = 60


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection


def start(settings: Settings, place: int, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.killed_months", str(place), *command],
        cwd=Path(__file__).parents[2],
        env={
            "DATABASE_URL": settings.database_url,
            "BDAYSCHED_NOW": LONG_AFTER.isoformat(),
            "PATH": "/usr/bin:/bin",
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_at(settings: Settings, place: int, *command: str) -> bool:
    with start(settings, place, *command) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode in (0, -9), err
    return process.returncode == -9


def is_there(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", (name,)).fetchone() != (None,)


def events(connection: psycopg.Connection, name: str) -> list[str]:
    kinds = [str(event.event) for event in partition_events.of(connection, name)]
    return [kind for kind in kinds if kind != "created"]


def test_killed_after_any_step_of_detaching_and_dropping_the_next_run_completes_it(
    settings: Settings, connection: psycopg.Connection
) -> None:
    command = ("drop-partitions", "0", "--grace", "0", "--max", "1", "--yes")
    for place in range(1, ENOUGH):
        month = THIS.plus(place - 1)
        name = month.partition_of(MESSAGES)
        add_message(connection, due=month.start + timedelta(hours=9), status="SENT")
        was_killed = killed_at(settings, place, *command)
        if is_there(connection, name):
            assert partitions.count_by_status(connection, name) == {"SENT": 1}
        else:
            assert events(connection, name)[-1] == "dropped"
        if is_there(connection, name):
            drop(settings, LONG_AFTER, 0, timedelta(), maximum=1)
        assert not is_there(connection, name)
        assert events(connection, name) == ["detached", "dropped"]
        assert partition_events.of(connection, name)[-1].rows == {"SENT": 1}
        if not was_killed:
            break
    # Detach, note, drop the key, drop the table, note.
    assert place == 6


def test_killed_after_any_step_with_an_archive_every_row_is_in_one_of_the_two_places(
    settings: Settings, connection: psycopg.Connection, tmp_path: Path
) -> None:
    to = str(tmp_path)
    command = ("drop-partitions", "0", "--grace", "0", "--max", "1", "--archive", to, "--yes")
    for place in range(1, ENOUGH):
        month = THIS.plus(place - 1)
        name = month.partition_of(MESSAGES)
        manifest = tmp_path / f"{name}.manifest.json"
        add_message(connection, due=month.start + timedelta(hours=9), status="SENT")
        was_killed = killed_at(settings, place, *command)
        if is_there(connection, name):
            assert partitions.count_by_status(connection, name) == {"SENT": 1}
            drop(settings, LONG_AFTER, 0, timedelta(), maximum=1, archive=to)
        assert not is_there(connection, name)
        assert verify(str(manifest)).rows_by_status == {"SENT": 1}
        assert events(connection, name) == ["detached", "archived", "dropped"]
        assert partition_events.of(connection, name)[-1].archive == str(manifest)
        if not was_killed:
            break
    # Detach, note, the file, its manifest, note, drop the key, drop the table, note.
    assert place == 9


def test_killed_while_it_waits_for_a_transaction_the_next_run_completes_it(
    settings: Settings, connection: psycopg.Connection, database: str
) -> None:
    name = THIS.partition_of(MESSAGES)
    add_message(connection, status="SENT")
    with psycopg.connect(database) as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        command = ("drop-partitions", "0", "--max", "1", "--yes")
        with start(settings, ENOUGH, *command) as process:
            give_up = time.monotonic() + 60
            while partitions.existing(connection, MESSAGES)[0].state is not State.PENDING:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            process.kill()
        assert process.returncode == -9
    drop(settings, LONG_AFTER, 0, timedelta(), maximum=1)
    assert not is_there(connection, name)
    assert events(connection, name) == ["detached", "dropped"]


def test_killed_after_any_step_of_making_months_the_next_run_completes_them(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for place in range(1, ENOUGH):
        was_killed = killed_at(settings, place, "create-partitions", str(place))
        create(settings, LONG_AFTER, place)
        there = partitions.existing(connection, MESSAGES)
        assert [month.month for month in there] == list(THIS.until(THIS.plus(12 + place)))
        assert all(month.state is State.ATTACHED for month in there)
        if not was_killed:
            break
    # Make, attach and note, in either table.
    assert place == 7


def test_killed_after_any_step_of_emptying_a_default_partition_every_message_is_seen(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for place in range(1, ENOUGH):
        month = THIS.plus(30 + 2 * place)
        name = month.partition_of(MESSAGES)
        create(settings, month.start + timedelta(days=5), 0)
        connection.execute(f"DROP TABLE {name}".encode())
        connection.execute("CREATE TABLE message_logs_default PARTITION OF message_logs DEFAULT")
        add_message(connection, due=month.start + timedelta(hours=9))
        was_killed = killed_at(settings, place, "create-partitions", "1")
        seen = connection.execute("SELECT count(*) FROM message_logs").fetchone()
        assert seen == (place,)
        create(settings, LONG_AFTER, 1)
        assert partitions.count_by_status(connection, name) == {"SCHEDULED": 1}
        assert partitions.default_of_messages(connection) is None
        connection.execute("DROP TABLE message_logs_default")
        if not was_killed:
            break
    # Begin, make, take in, copy, copy no more, validate, leave, hand over, end, note.
    assert place == 11


async def test_a_long_transaction_makes_the_commands_end_with_75_and_say_whose_it_is(
    program: Program, database: str
) -> None:
    later = {"BDAYSCHED_NOW": THIS.plus(3).start.isoformat()}
    short = ("--wait", "0s")
    with psycopg.connect(database, application_name="nightly report") as report:
        report.execute("SELECT count(*) FROM message_logs")
        ended = await program.run("drop-partitions", "1", "--yes", *short, **later)
        assert ended.code == ExitCode.LOCKED
        last = ended.err.splitlines()[-1]
        assert f"process {report.info.backend_pid} (nightly report), in a transaction since" in last
        assert "has used message_logs" in last
    assert (await program.run("drop-partitions", "1", "--yes", **later)).code == ExitCode.DONE
    with psycopg.connect(database, application_name="import") as writer:
        writer.execute("UPDATE users SET first_name = first_name")
        ended = await program.run("create-partitions", "24", *short)
        assert ended.code == ExitCode.LOCKED
        assert "(import), in a transaction since" in ended.explanation
    assert (await program.run("create-partitions", "24")).code == ExitCode.DONE
