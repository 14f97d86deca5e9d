"""The proof: books that balance whatever was killed, and that say so when they do not."""

from __future__ import annotations

import asyncio
import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from birthday_cli.domain import send_time, zones
from tests.acceptance.conftest import Program, Query, end
from tests.servers.rabbitmq import RabbitNode
from tests.servers.receiver import Receiver

USERS = 3_000
# Tomorrow: users who are imported today are there before the day begins, wherever they live.
NOW = datetime.now(UTC).replace(hour=12, minute=30, second=0, microsecond=0) + timedelta(days=1)
DAY = NOW.date()


def write_users(path: Path) -> None:
    """People who celebrate on the day, wherever it goes on; in the west it has yet to be nine."""
    names = sorted(
        name for name in zones.names() if send_time.local_day(NOW, zones.load(name)) == DAY
    )
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["email", "first_name", "last_name", "timezone", "birthday_date", "anniversary_date"])
        for number in range(USERS):
            zone = names[number % len(names)]
            write([f"{number}@example.com", "Ada", "Lee", zone, f"{DAY:%m-%d}", f"{DAY:%m-%d}"])


async def books(program: Program) -> dict[str, Any]:
    audited = await program.run("audit", "--date", str(DAY), "--json")
    found: dict[str, Any] = json.loads(audited.out)
    assert audited.code == (0 if found["balanced"] else 1), audited.err
    return found


async def test_two_schedules_killed_at_random_and_the_books_balance(
    program: Program, rabbitmq: RabbitNode, receiver: Receiver, query: Query
) -> None:
    program.environment |= {
        "BROKER_URL": rabbitmq.url,
        "DELIVERY_URL": receiver.url,
        "BDAYSCHED_NOW": NOW.isoformat(),
    }
    write_users(Path("users.csv"))
    assert (await program.run("users", "import", "users.csv")).code == 0
    rng = random.Random(3)
    for _ in range(12):
        runs = [await program.start("schedule", "--wait", "5s") for _ in range(2)]
        for run in rng.sample(runs, 2):
            await asyncio.sleep(rng.uniform(0.1, 1.2))
            if run.returncode is None:
                run.kill()
        for run in runs:
            await run.communicate()
    settled = await program.run("schedule", "--wait", "30s")
    assert settled.code == 0, settled.err
    worked = await program.run("run-worker", "--until-empty")
    assert worked.code == 0, worked.err

    found = await books(program)
    assert found["balanced"], found["problems"]
    [day] = found["days"]
    assert day["eligible"] == 2 * USERS == day["sent"] + day["failed"] + day["pending"]
    [(sent, failed, pending)] = query(
        "SELECT count(*) FILTER (WHERE status = 'SENT'), count(*) FILTER (WHERE status = 'FAILED'),"
        " count(*) FILTER (WHERE status = 'SCHEDULED') FROM message_logs WHERE delivery_date = %s",
        DAY,
    )
    assert (day["sent"], day["failed"], day["pending"]) == (sent, failed, pending)
    assert sent > USERS / 2
    assert pending > 0
    # A schedule that was killed may have published what the next one published again.
    assert set(receiver.keys.values()) == {1}


async def test_audit_names_who_is_wrong(program: Program, database: str) -> None:
    program.environment |= {"BDAYSCHED_NOW": NOW.isoformat()}
    with psycopg.connect(database, autocommit=True) as connection:
        for name in ("ada", "bob"):
            connection.execute(
                "INSERT INTO users (first_name, last_name, email, timezone, birthday_date)"
                " VALUES ('A', 'B', %s, 'UTC', %s)",
                (f"{name}@example.com", f"{DAY:%m-%d}"),
            )
        assert (await program.run("schedule", "--plan")).code == 0
        fine = await program.run("audit", "--date", str(DAY))
        assert fine.code == 0
        assert fine.out.splitlines()[1].split("\t")[:6] == [str(DAY), "2", "0", "0", "2", "0"]
        assert fine.err == ("the books balance: 2 eligible = 0 sent + 0 failed + 2 pending\n")
        connection.execute(
            "DELETE FROM message_logs USING users WHERE users.id = user_id AND email LIKE 'ada%'"
        )
    wrong = await program.run("audit", "--date", str(DAY))
    assert wrong.code == 1
    named, explained = wrong.err.splitlines()
    assert named == (
        f"gap: ada@example.com (BIRTHDAY of {DAY}) was to get it at {DAY}T09:00:00Z,"
        " and has no message"
    )
    assert explained == ("bdaysched: the books do not balance: 1 gap. See `bdaysched explain USER`")
    found = await books(program)
    assert found["counts"] == {"gap": 1}
    assert [problem["email"] for problem in found["problems"]] == ["ada@example.com"]
    mended = await program.run("schedule", "--plan", "--full")
    assert mended.code == 0
    assert (await books(program))["balanced"]


async def test_audit_wants_dates(program: Program) -> None:
    for arguments in (
        ["--date", "yesterday"],
        ["--from", "2027-02-30"],
        ["--from", "2027-03-02", "--to", "2027-03-01"],
        ["--date", "2027-03-02", "--to", "2027-03-03"],
    ):
        refused = await program.run("audit", *arguments)
        assert refused.code == 2
        assert arguments[0] in refused.explanation


async def test_a_leap_day_and_both_changes_of_the_clocks_in_a_simulation() -> None:
    """28 and 29 February 2028; clocks go forward in the north, and back in the south."""
    simulated = await end(
        await Program({"DATABASE_URL": "", "BROKER_URL": ""}).start(
            *("simulate", "--from", "2028-02-26", "--days", "38", "--users", "400", "--json")
        ),
        seconds=600,
    )
    assert simulated.code == 0, simulated.err
    found = json.loads(simulated.out)
    audit = found["audit"]
    assert found["right"]
    assert audit["balanced"]
    days = {day["date"]: day for day in audit["days"]}
    assert len(days) == 38
    assert days["2028-02-28"]["sent"] > 0
    assert days["2028-02-29"]["sent"] > 0
    eligible, sent, failed = (
        sum(day[column] for day in days.values()) for column in ("eligible", "sent", "failed")
    )
    assert eligible == sent + failed > 100
    assert found["received"] == sent
    assert found["duplicates"] == 0
    assert found["changes"] > 300
    assert failed < sent / 5
