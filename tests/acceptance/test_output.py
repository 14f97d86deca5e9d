"""What a person sees on a terminal of 80 columns, and what a program reads from a pipe."""

from __future__ import annotations

import json
import re

import pytest

from tests.acceptance.conftest import OnTerminal, Program

SHOWING = [
    ["status"],
    ["partitions"],
    ["monitor"],
    ["monitor", "partitions"],
    ["monitor", "indexes"],
    ["monitor", "connections"],
]


@pytest.mark.parametrize("command", SHOWING, ids=" ".join)
def test_80_columns_without_colour(on_terminal: OnTerminal, command: list[str]) -> None:
    for text in (on_terminal(*command, NO_COLOR="1"), on_terminal("--no-color", *command)):
        assert not re.search(r"\x1b\[(3[0-8]|4[0-8]|9[0-7])", text)
        lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
        assert len(lines) > 3
        assert max(map(len, lines)) <= 80
        assert "…" not in text.replace("partitions, indexes, connections, …", "")


@pytest.mark.parametrize("command", SHOWING, ids=" ".join)
async def test_in_a_pipe_there_are_tab_separated_values(
    program: Program, command: list[str]
) -> None:
    ended = await program.run(*command)
    assert ended.code == 0
    assert ended.err == ""
    lines = ended.out.splitlines()
    assert len(lines) > 1
    assert len({line.count("\t") for line in lines}) == 1
    assert "\x1b" not in ended.out


@pytest.mark.parametrize(
    "command",
    [
        *SHOWING,
        ["migrate"],
        ["migrate", "--dry-run"],
        ["seed", "--dry-run"],
        ["schedule"],
        ["run-worker", "--until-empty"],
        ["create-partitions", "13"],
        ["drop-partitions", "1", "--dry-run"],
    ],
    ids=" ".join,
)
async def test_json_is_one_document(program: Program, command: list[str]) -> None:
    ended = await program.run(*command, "--json")
    assert ended.code == 0, ended.err
    json.loads(ended.out)


async def test_a_destructive_command_asks_on_a_terminal(
    program: Program, on_terminal: OnTerminal
) -> None:
    await program.run("create-partitions", "1", BDAYSCHED_NOW="2020-01-15T00:00Z")
    before = (await program.run("monitor", "partitions")).out
    asked = on_terminal("drop-partitions", "12", "--grace", "0", answer="n\n")
    assert "message_logs_2020_01: empty" in asked
    assert "deletes 2 partitions with 0 messages (" in asked
    assert (await program.run("monitor", "partitions")).out == before
    asked = on_terminal("drop-partitions", "12", answer="y\n")
    assert "detaches 2 partitions with 0 messages (" in asked
    asked = on_terminal("drop-partitions", "12", "--grace", "0", answer="y\n")
    assert "dropped message_logs_2020_01" in asked
    assert "2020_01" not in (await program.run("monitor", "partitions")).out


async def test_instants_are_utc_whatever_the_zone_of_the_terminal(program: Program) -> None:
    told = [
        (await program.run("monitor", "partitions", "--json", TZ=zone)).out
        for zone in ("Asia/Jakarta", "America/New_York")
    ]
    rows = [[(row["from_instant"], row["to_instant"]) for row in json.loads(text)] for text in told]
    assert rows[0] == rows[1]
    assert all(instant.endswith("-01T00:00:00Z") for pair in rows[0] for instant in pair)
