"""What a person and a program see of doctor, and how it ends."""

from __future__ import annotations

import json

import psycopg
import pytest

from birthday_cli.pipeline.doctor import checks
from tests.acceptance.conftest import OnTerminal, Program
from tests.acceptance.test_look import plain
from tests.examined import Installation

AWAY = "postgresql://me:geheim@127.0.0.1:1/nothing"
NO_BROKER = "amqp://me:geheim@127.0.0.1:1/"


@pytest.fixture
def examined(program: Program, healthy: Installation) -> Program:
    program.environment["DATABASE_URL"] = healthy.url()
    return program


async def test_a_healthy_installation_ends_with_0(examined: Program) -> None:
    ended = await examined.run("doctor")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "verdict\tcheck\tevidence\tcommand"
    assert all(line.startswith("ok\t") for line in lines[1:])
    assert len(lines) > len(checks.CHECKS)


async def test_what_is_wrong_comes_first_for_whoever_reads_it_from_a_pipe(
    examined: Program, healthy: Installation
) -> None:
    with psycopg.connect(healthy.url()) as owner:
        owner.execute("DELETE FROM heartbeats")
    ended = await examined.run("doctor")
    rows = [line.split("\t") for line in ended.out.splitlines()[1:]]
    assert ended.code == 1
    assert [row[:2] for row in rows[:2]] == [["wrong", "schedule"], ["warning", "workers"]]
    assert rows[0][3] == "bdaysched schedule"
    assert {row[0] for row in rows[2:]} == {"ok"}


async def test_only_the_schema_is_wrong_and_it_ends_with_6(
    examined: Program, healthy: Installation
) -> None:
    with psycopg.connect(healthy.url()) as owner:
        owner.execute("DROP INDEX idx_users_birthday_date")
    ended = await examined.run("doctor", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["exit_code"], document["verdict"]) == (6, 6, "wrong")
    found = {each["check"]: each for each in document["checks"]}
    assert list(found)[: len(checks.CHECKS)] == list(checks.CHECKS)
    assert found["drift"] == {
        "check": "drift",
        "verdict": "wrong",
        "evidence": "index idx_users_birthday_date on users is missing",
        "command": "bdaysched schema check",
    }
    assert found["version"]["command"] is None


async def test_without_a_database_it_shows_the_rest_and_ends_with_3(
    examined: Program, on_terminal: OnTerminal
) -> None:
    ended = await examined.run("doctor", "--json", DATABASE_URL=AWAY, BROKER_URL=NO_BROKER)
    found = {each["check"]: each["verdict"] for each in json.loads(ended.out)["checks"]}
    assert ended.code == 3
    assert "geheim" not in ended.out + ended.err
    assert found["delivery"] == found["settings"] == found["redis"] == "ok"
    assert (found["connection"], found["broker"], found["guard"]) == ("wrong", "wrong", "not known")
    drawn = plain(on_terminal("doctor", DATABASE_URL=AWAY, NO_COLOR="1"))
    assert "geheim" not in drawn
    # What cannot be known for one reason is one line, not twenty.
    assert drawn.count("the database cannot be reached") == 1


async def test_without_a_broker_it_ends_with_4(examined: Program) -> None:
    ended = await examined.run("doctor", BROKER_URL=NO_BROKER)
    assert ended.code == 4
    assert ended.out.splitlines()[1].startswith("wrong\tbroker\tcannot reach the broker at ")


async def test_a_database_url_that_is_none_ends_with_2(examined: Program) -> None:
    ended = await examined.run("doctor", DATABASE_URL="postgresql://me:geheim@x/y?nonsense=1")
    assert ended.code == 2
    assert ended.out.splitlines()[1].startswith("wrong\tconnection\tDATABASE_URL=")
    assert "geheim" not in ended.out


@pytest.mark.usefixtures("examined")
async def test_it_fits_into_80_columns_and_crops_nothing(
    healthy: Installation, on_terminal: OnTerminal
) -> None:
    with psycopg.connect(healthy.url()) as owner:
        owner.execute("DROP INDEX idx_users_birthday_date; DELETE FROM heartbeats")
    first, _, *lines = plain(on_terminal("doctor", NO_COLOR="1")).splitlines()
    assert first.endswith("checks: 2 wrong, 1 warning, " + first.rpartition(", ")[2])
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("wrong   drift")
    assert lines[1].split() == ["→", "bdaysched", "schema", "check"]
    assert not any("…" in line for line in lines)
