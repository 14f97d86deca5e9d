"""`partitions` as a person sees it, and a program."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta

import psycopg

from birthday_cli.db import partition_events
from birthday_cli.domain.months import Month
from tests.acceptance.conftest import OnTerminal, Program
from tests.facts import NOW, add_message

THIS = Month.of(NOW)
GONE = THIS.plus(-30)


def fill(database: str) -> None:
    """This month has messages in two states, and one long ago was archived and dropped."""
    with psycopg.connect(database, autocommit=True) as connection:
        for status in ["SENT"] * 3 + ["FAILED"]:
            add_message(connection, status=status)
        name = GONE.partition_of("message_logs")
        rows = {"SENT": 2}
        partition_events.note(connection, name, "archived", "me", rows, "/archive/it.json")
        partition_events.note(connection, name, "dropped", "me", rows)


def test_on_a_terminal_there_is_a_bar_for_each_month_and_what_became_of_it(
    on_terminal: OnTerminal, database: str
) -> None:
    fill(database)
    text = on_terminal("partitions", NO_COLOR="1", BDAYSCHED_NOW=NOW.isoformat())
    lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
    (this,) = (line for line in lines if line.startswith(str(THIS)))
    assert re.search(r"█{12}x{4} +4 +\S+ kB +now +attached", this)
    (gone,) = (line for line in lines if line.startswith(f"{GONE} "))
    assert re.search(r"█{8} +2 +0 B +30 mo +archived \d{4}-\d\d-\d\d", gone)
    assert any(re.fullmatch(rf"{GONE}: archived \S+Z, /archive/it.json", line) for line in lines)
    assert "█ SENT  x FAILED" in text


async def test_in_a_pipe_rows_and_bytes_are_numbers(program: Program, database: str) -> None:
    fill(database)
    out = (await program.run("partitions", BDAYSCHED_NOW=NOW.isoformat())).out
    first, this, *_ = csv.DictReader(io.StringIO(out), delimiter="\t")
    assert (first["state"], first["archive"]) == ("archived", "/archive/it.json")
    assert this["partition"] == THIS.partition_of("message_logs")
    assert (this["rows"], this["sent"], this["failed"], this["queued"]) == ("4", "3", "1", "0")
    assert this["is_estimate"] == "False"
    assert int(this["total_bytes"]) > 100_000


async def test_as_json_rows_have_their_statuses(program: Program, database: str) -> None:
    fill(database)
    ended = await program.run("partitions", "--json", "--exact", BDAYSCHED_NOW=NOW.isoformat())
    first, this, *coming = json.loads(ended.out)
    assert first["since"].endswith("Z")
    assert this["by_status"] == {"FAILED": 1, "SENT": 3}
    assert [month["age_months"] for month in coming] == [-ahead for ahead in range(1, 13)]


async def test_check_says_how_far_the_months_reach(program: Program) -> None:
    ended = await program.run("partitions", "--check", BDAYSCHED_NOW=NOW.isoformat())
    needed = NOW + timedelta(days=3)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"the months reach until {THIS.plus(13).first_day};"
        f" planning can need them until {needed:%Y-%m-%d}\n"
    )


async def test_check_ends_with_6_when_they_are_too_short(program: Program) -> None:
    later = THIS.plus(14).start.isoformat()
    ended = await program.run("partitions", "--check", BDAYSCHED_NOW=later)
    assert ended.code == 6
    assert "bdaysched create-partitions" in ended.explanation
    told = await program.run("partitions", "--check", "--json", BDAYSCHED_NOW=later)
    assert told.code == 6
    assert told.explanation.endswith(json.loads(told.out)["problem"])
