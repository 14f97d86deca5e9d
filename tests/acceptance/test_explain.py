"""explain and forecast as a person sees them, and as a program reads them."""

from __future__ import annotations

import json
import re

import pytest

from tests.acceptance.conftest import OnTerminal, Program, write

FEBRUARY = {"BDAYSCHED_NOW": "2027-02-20T09:00:00Z"}
COMMANDS = [["explain", "zoe@example.com"], ["forecast"], ["preview"]]
PEOPLE = """first_name,last_name,email,timezone,birthday_date,anniversary_date
Zoë,"O'Neil, the eldest of them all",zoe@example.com,America/Argentina/ComodRivadavia,02-29,
Kim,Lee,kim@example.com,America/North_Dakota/New_Salem,02-28,02-28
Ann,Lee,ann@example.com,America/Indiana/Tell_City,02-28,
"""


@pytest.fixture
async def inhabited(program: Program) -> Program:
    write("people.csv", PEOPLE)
    assert (await program.run("users", "import", "people.csv")).code == 0
    return program


@pytest.mark.usefixtures("inhabited")
@pytest.mark.parametrize("command", COMMANDS[:2], ids=" ".join)
def test_80_columns(on_terminal: OnTerminal, command: list[str]) -> None:
    lines = re.sub(r"\x1b\[\d*m", "", on_terminal(*command, **FEBRUARY)).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_json_is_one_document(inhabited: Program, command: list[str]) -> None:
    ended = await inhabited.run(*command, "--json", **FEBRUARY)
    assert (ended.code, ended.err) == (0, "")
    json.loads(ended.out)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_without_a_database_there_is_one_line(program: Program, command: list[str]) -> None:
    ended = await program.run(*command, DATABASE_URL="postgresql://me:geheim@127.0.0.1:1/x")
    assert (ended.code, ended.out) == (3, "")
    assert "cannot reach the database" in ended.explanation
    assert "geheim" not in ended.err


async def test_in_a_pipe_an_explanation_is_the_same_text(
    inhabited: Program, on_terminal: OnTerminal
) -> None:
    ended = await inhabited.run("explain", "zoe@example.com", **FEBRUARY)
    assert (ended.code, ended.err) == (0, "")
    assert (
        ended.out.splitlines()
        == on_terminal("explain", "zoe@example.com", **FEBRUARY).replace("\r", "").splitlines()
    )
    assert "next BIRTHDAY: Sunday 2027-02-28 at 09:00 by their clock, UTC-03:00" in ended.out


async def test_in_a_pipe_a_forecast_is_tab_separated(inhabited: Program) -> None:
    ended = await inhabited.run("forecast", "--rate", "0.5", "--within", "2s", **FEBRUARY)
    assert ended.code == 0
    assert ended.out.splitlines()[:3] == [
        "send_time\tsends\tlateness_seconds\tzones",
        "2027-02-28T15:00:00Z\t3\t6.0\tAmerica/North_Dakota/New_Salem 2,"
        " America/Indiana/Tell_City 1",
        "2027-02-28T12:00:00Z\t1\t2.0\tAmerica/Argentina/ComodRivadavia 1",
    ]
    assert ended.err.splitlines() == [
        "4 sends in 365 days; most on 2027-02-28 (UTC): 4",
        "by week: ▁█" + 50 * "▁",
        "at 0.5 a second: at most 6 s late, 2027-02-28 15:00Z",
        "2 later than 2 s, and 0 too late to be sent at all",
        "2 a second would send all within 2 s",
    ]


async def test_nobody_and_nothing(program: Program) -> None:
    nobody = await program.run("explain", "nobody@example.com")
    assert nobody.code == 1
    assert "there is no user 'nobody@example.com'" in nobody.explanation
    nothing = await program.run("forecast", "--days", "2")
    assert (nothing.code, nothing.err) == (0, "nothing is to be sent in the coming 2 days\n")
    wrong = await program.run("forecast", "--within", "0s")
    assert (wrong.code, "--within must be greater than 0" in wrong.explanation) == (2, True)
