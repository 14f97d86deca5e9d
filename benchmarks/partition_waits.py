"""How long others wait while months are made, detached and dropped, also with a long reader there.

Readers and writers of message_logs and users run transactions of several statements, and each
statement is timed. `quiet` is what they take when nothing is done to months: what a busy machine
adds to all the others. With a long transaction there, the command gives up.

    python -m benchmarks.partition_waits --rounds 5 --rows 100000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import psycopg

from benchmarks import servers
from birthday_cli.config import Settings
from birthday_cli.domain.months import Month
from birthday_cli.errors import Locked
from birthday_cli.pipeline.partitions.months import create
from birthday_cli.pipeline.retain import drop
from tests.facts import NOW
from tests.traffic import Traffic

_OF_EACH = 2
_FILL = """
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, status
)
SELECT ids[1 + n / 25], 'BIRTHDAY', 'Happy birthday!', day, day + interval '9 hours', 'SENT'
FROM generate_series(0, %(rows)s - 1) AS n
CROSS JOIN (SELECT array_agg(id) AS ids FROM users) AS everyone
CROSS JOIN LATERAL (SELECT %(start)s::date + n %% 25 AS day) AS delivered
"""


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000, help="of each month that is dropped")
    given = parser.parse_args()
    with servers.postgres_server() as server, servers.migrated_database(server, "waits") as ours:
        settings = Settings(database_url=server.url("waits"))
        first = Month.of(NOW)
        now = _now(given.rounds)
        create(settings, now, 0)
        servers.add_users(ours, given.rows // 25 + 1, 1)
        for month in range(given.rounds + 1):
            servers.tell(f"filling {first.plus(month)}")
            ours.execute(_FILL, {"rows": given.rows, "start": first.plus(month).start})
        traffic = Traffic(settings.database_url, now)
        with traffic.running(_OF_EACH):
            figures = _measure(settings, traffic, given.rounds)
    servers.report("partition_waits", rounds=given.rounds, rows=given.rows, **figures)


def _now(rounds: int) -> datetime:
    """Return an instant at which the months that were filled are over."""
    return Month.of(NOW).plus(rounds + 4).start


def _measure(settings: Settings, traffic: Traffic, rounds: int) -> dict[str, object]:
    now = _now(rounds)
    take = partial(drop, settings, now, 1, maximum=1)
    steps: dict[str, Callable[[int], object]] = {
        "quiet": lambda _: time.sleep(1),
        "create": lambda number: create(settings, now, 12 + number),
        # Of the oldest month, and then the drop of it.
        "detach": lambda _: take(),
        "drop": lambda _: take(timedelta()),
    }
    waits = {name: {"read": 0.0, "write": 0.0} for name in steps}
    seconds = dict.fromkeys(steps, 0.0)
    for number in range(rounds):
        for name, step in steps.items():
            seconds[name] += _during(traffic, waits[name], partial(step, number))
        servers.tell(f"round {number + 1}: {_milliseconds(waits)}")
    held = {name: {"read": 0.0, "write": 0.0} for name in ("create", "detach", "drop")}
    gave_up = {}
    for name, hold, command in (
        (
            "create",
            "UPDATE users SET first_name = first_name WHERE false",
            lambda: create(settings, now, 12 + rounds, wait=5),
        ),
        ("detach", "SELECT FROM message_logs LIMIT 1", lambda: take(wait=5)),
        ("drop", "SELECT FROM users LIMIT 1", lambda: take(timedelta(), wait=5)),
    ):
        with psycopg.connect(settings.database_url) as long:
            long.execute(hold.encode())
            gave_up[name] = round(_during(traffic, held[name], partial(_refused, command)), 1)
        if name == "detach":
            take()
    if traffic.problems:
        raise traffic.problems[0]
    return {
        "longest_wait_ms": _milliseconds(waits),
        "longest_wait_ms_with_a_long_transaction": _milliseconds(held),
        "gave_up_after_seconds": gave_up,
        "seconds_each": {name: round(took / rounds, 3) for name, took in seconds.items()},
        "statements_of_others": traffic.statements,
    }


def _during(traffic: Traffic, longest: dict[str, float], step: Callable[[], object]) -> float:
    """Run step; keep in longest what others waited at most. Return the seconds that it took."""
    traffic.forget()
    began = time.perf_counter()
    step()
    took = time.perf_counter() - began
    # Who still waits has not told yet.
    traffic.go_on(8)
    for kind, wait in traffic.longest.items():
        longest[kind] = max(longest[kind], wait)
    return took


def _refused(command: Callable[[], object]) -> None:
    try:
        command()
    except Locked as problem:
        servers.tell(str(problem))
    else:
        raise AssertionError("a long transaction kept nobody from anything")


def _milliseconds(waits: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {kind: round(1_000 * wait, 1) for kind, wait in longest.items()}
        for name, longest in waits.items()
    }


if __name__ == "__main__":
    main()
