"""What a person sees of status and monitor at 80 columns, and while they watch."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable

import psycopg
import pytest

from birthday_cli.pipeline.looking import monitor
from tests.acceptance.conftest import PROGRAM, OnTerminal, Program
from tests.facts import NOW, add_message

VITAL = {
    "bloat": "message_logs_",
    "connections": "enough: 1 processes",
    "indexes": "idx_message_logs_scheduled_time ",
    "lateness": "more than 4 h",
    "locks": "nothing to show",
    "messages": f"{NOW:%Y-%m-%d}",
    "partitions": f"message_logs_{NOW:%Y_%m} ",
    "queue": "queued, waiting",
    "statements": "CREATE EXTENSION pg_stat_statements",
    "stuck": "bdaysched schedule",
    "workers": "scheduler ",
}


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text).replace("\r", "")


@pytest.fixture
def today(program: Program, database: str) -> Program:
    program.environment["BDAYSCHED_NOW"] = NOW.isoformat()
    with psycopg.connect(database) as connection:
        add_message(connection, NOW, "SENT", actual_send_time=NOW)
    return program


@pytest.mark.parametrize("name", sorted(monitor.tables()))
async def test_a_table_fits_into_80_columns_and_crops_nothing_vital(
    today: Program, on_terminal: OnTerminal, name: str
) -> None:
    await today.run("schedule")
    text = on_terminal("monitor", name, NO_COLOR="1")
    assert not re.search(r"\x1b\[(3[0-8]|4[0-8]|9[0-7])", text)
    lines = plain(text).splitlines()
    if name != "statements":
        assert max(map(len, lines)) <= 80
    assert "…" not in text
    words = re.sub(r"\s+", " ", plain(text))
    assert VITAL[name].strip() in words or VITAL[name].strip() in _unfolded(lines)


def _unfolded(lines: list[str]) -> str:
    """Return the last cell of all lines, one after the other."""
    return " ".join(line.split("  ")[-1].strip() for line in lines if line.strip())


@pytest.mark.parametrize("name", sorted(monitor.tables()))
async def test_a_table_is_one_document_and_tab_separated_values(today: Program, name: str) -> None:
    ended = await today.run("monitor", name, "--json")
    assert ended.code == 0
    rows = json.loads(ended.out)
    ended = await today.run("monitor", name)
    lines = ended.out.splitlines()
    assert ended.code == 0
    if name == "statements":
        assert (lines, rows) == ([], [])
        assert "CREATE EXTENSION" in ended.err
    else:
        assert ended.err == ""
        assert len({line.count("\t") for line in lines}) == 1
        assert all(list(row) == lines[0].split("\t") for row in rows)


async def test_the_verdict_comes_first_and_is_the_same_without_colour(
    today: Program, on_terminal: OnTerminal
) -> None:
    await today.run("schedule")
    for told in (on_terminal("status", NO_COLOR="1"), on_terminal("status")):
        first, *others = plain(told).splitlines()
        assert first == "ALL WELL"
        assert len(others) < 20
    today.environment["BROKER_URL"] = "amqp://me:geheim@127.0.0.1:1/"
    told = on_terminal("status", NO_COLOR="1", BROKER_URL=today.environment["BROKER_URL"])
    assert plain(told).startswith("WRONG: cannot reach the broker at ")
    assert "geheim" not in told
    assert max(map(len, plain(told).splitlines())) <= 80


async def test_status_with_the_database_down_ends_with_3(program: Program) -> None:
    away = "postgresql://me:geheim@127.0.0.1:1/nothing"
    ended = await program.run("status", DATABASE_URL=away)
    assert (ended.code, ended.out) == (3, "")
    assert "geheim" not in ended.explanation


async def test_status_without_a_schema_says_what_to_run(
    program: Program, empty_database: str
) -> None:
    ended = await program.run("status", "--json", DATABASE_URL=empty_database)
    document = json.loads(ended.out)
    assert (ended.code, document["verdict"], document["today"]) == (0, "wrong", None)
    assert document["problems"][0]["command"] == "bdaysched migrate"


class Terminal:
    """A terminal on which the program runs."""

    def __init__(self, program: Program, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [PROGRAM, *arguments],
            env={**os.environ, "TERM": "xterm-256color", **program.environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    async def until(self, condition: Callable[[str], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition(self.seen):
                try:
                    self.seen += os.read(self._ours, 65_536).decode()
                except BlockingIOError:
                    await asyncio.sleep(0.02)
                except OSError:
                    assert condition(self.seen), self.seen
                    return

    async def end(self) -> int:
        """Return the exit code, having read the rest."""
        async with asyncio.timeout(60):
            while self.process.poll() is None:
                try:
                    self.seen += os.read(self._ours, 65_536).decode()
                except OSError:
                    await asyncio.sleep(0.02)
        os.close(self._ours)
        return self.process.returncode


async def test_watching_sets_off_what_changed_and_q_ends_it(today: Program, database: str) -> None:
    terminal = Terminal(today, "monitor", "queue", "--watch", "0.1")
    try:
        await terminal.until(lambda seen: seen.count("q ends it") > 1)
        assert "\x1b[1;7m" not in terminal.seen
        with psycopg.connect(database) as connection:
            add_message(connection, NOW, "QUEUED")
        await terminal.until(lambda seen: "\x1b[1;7m" in seen)
        # Drawn over in its place: the screen is never emptied in between.
        assert terminal.seen.count("\x1b[2J") <= 1
        terminal.type("q")
        assert await terminal.end() == 0
    finally:
        terminal.process.kill()
    assert "queued, waiting" in terminal.seen.rpartition("\x1b[?1049l")[2]


@pytest.mark.parametrize("command", [["status"], ["monitor", "workers"]], ids=" ".join)
async def test_an_interrupt_ends_watching_with_0(today: Program, command: list[str]) -> None:
    terminal = Terminal(today, *command, "--watch", "30")
    try:
        await terminal.until(lambda seen: "q ends it" in seen)
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.end() == 0
    finally:
        terminal.process.kill()


async def test_watching_goes_on_when_the_database_comes_and_goes(
    today: Program, database: str
) -> None:
    terminal = Terminal(today, "monitor", "queue", "--watch", "0.1")
    name = database.rpartition("/")[2]
    server = database.replace(name, "postgres")
    try:
        await terminal.until(lambda seen: "q ends it" in seen)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await terminal.until(lambda seen: "cannot reach the database" in seen)
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        seen = len(terminal.seen)
        await terminal.until(lambda text: "q ends it" in text[seen + 8_000 :])
        assert "cannot reach" not in terminal.seen[-1_500:]
        terminal.type("q")
        assert await terminal.end() == 0
    finally:
        terminal.process.kill()


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--watch", "2"],
        ["monitor", "queue", "--watch", "2", "--json"],
        ["monitor", "--watch", "2"],
    ],
    ids=" ".join,
)
async def test_what_cannot_be_watched_is_said(program: Program, arguments: list[str]) -> None:
    ended = await program.run(*arguments)
    assert ended.code == 2
    assert "--watch" in ended.explanation


async def test_a_killed_worker_leaves_a_row_and_one_that_stops_does_not(
    program: Program, database: str
) -> None:
    async def rows() -> int:
        with psycopg.connect(database) as connection:
            found = connection.execute("SELECT count(*) FROM heartbeats").fetchone()
        assert found
        return int(found[0])

    async def until(count: int) -> None:
        async with asyncio.timeout(60):
            while await rows() != count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    killed, stopped = await program.start("run-worker"), await program.start("run-worker")
    await until(2)
    stopped.terminate()
    await stopped.communicate()
    assert await rows() == 1
    killed.kill()
    await killed.communicate()
    assert await rows() == 1
