"""The real input: 100,000 users in every zone there is, on PostgreSQL 15 and RabbitMQ."""

from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

from tests.acceptance.conftest import Program, Query
from tests.servers.rabbitmq import RabbitNode
from tests.servers.receiver import Receiver

USERS = 100_000
LEAP_YEAR = date(2000, 1, 1)
# A common year: those of 29 February are due on the 28th.
DAY = date(2027, 2, 28)
STEP = timedelta(hours=3)


def write_users(path: Path) -> None:
    """Every zone and every date there is, drawn at random, and all zones on the day itself."""
    rng = random.Random(2027)
    names = sorted(available_timezones() - {"localtime"})
    month_days = [f"{LEAP_YEAR + timedelta(days=count):%m-%d}" for count in range(366)]
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        write(["email", "first_name", "last_name", "timezone", "birthday_date", "location_city"])
        for number in range(USERS):
            zone = rng.choice(names)
            birthday = rng.choice(month_days)
            if number < 2 * len(names):
                zone, birthday = names[number // 2], ("02-28", "02-29")[number % 2]
            write([f"{number}@example.com", f"Ünï {number}", "O'Neil", zone, birthday, "City"])


async def test_every_user_due_on_a_day_is_delivered_once_at_nine(
    program: Program,
    query: Query,
    rabbitmq: RabbitNode,
    receiver: Receiver,
) -> None:
    program.environment |= {
        "BROKER_URL": rabbitmq.url,
        "DELIVERY_URL": receiver.url,
    }
    write_users(Path("users.csv"))
    imported = await program.run("users", "import", "users.csv")
    assert imported.code == 0, imported.err
    assert query("SELECT count(*) FROM users") == [(USERS,)]
    assert query("SELECT count(DISTINCT birthday_date) FROM users") == [(366,)]

    # From before the first morning of the day, in the far east, to after the last.
    now = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC) - timedelta(hours=15)
    start = now.isoformat()
    months = await program.run("create-partitions", "12", BDAYSCHED_NOW=start)
    assert months.code == 0, months.err
    while now < datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC) + timedelta(hours=13):
        now += STEP
        for command in (["schedule"], ["run-worker", "--until-empty"]):
            ended = await program.run(*command, BDAYSCHED_NOW=now.isoformat())
            assert ended.code == 0, ended.err

    due = query(
        "SELECT count(*), count(DISTINCT timezone) FROM users WHERE birthday_date IN ('02-28',"
        " '02-29')"
    )
    sent = query(
        "SELECT count(*), count(DISTINCT timezone) FROM message_logs JOIN users ON users.id ="
        " user_id WHERE delivery_date = %s AND status = 'SENT'",
        DAY,
    )
    assert sent == due
    assert due[0][1] == len(available_timezones() - {"localtime"})
    keys = {key: count for key, count in receiver.keys.items() if key.endswith(f":{DAY}")}
    assert len(keys) == due[0][0]
    assert set(receiver.keys.values()) == {1}
    recorded = query("SELECT idempotency_key FROM message_logs WHERE status = 'SENT'")
    assert {key for (key,) in recorded} == set(receiver.keys)

    # The instants, against PostgreSQL's own arithmetic. Where its time-zone data is of another
    # release the difference is that of the releases; tests/integration/test_plan.py proves that for
    # every zone by name.
    wrong = query(
        "SELECT DISTINCT timezone FROM message_logs JOIN users ON users.id = user_id"
        " WHERE scheduled_send_time <> (delivery_date + time '09:00') AT TIME ZONE timezone"
    )
    assert len(wrong) < 30, wrong
    untimely = query(
        "SELECT count(*) FROM message_logs WHERE delivery_date = %s AND (actual_send_time <"
        " scheduled_send_time OR actual_send_time > scheduled_send_time + %s)",
        DAY,
        STEP + timedelta(minutes=2),
    )
    assert untimely == [(0,)]
