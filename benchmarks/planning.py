"""How fast planning is, against the plainest INSERT … SELECT of the same rows, in one run.

The rows that `plan` inserted are kept in a table of their own, in the order of their insertion.
Then both run in turn, from the same state, into the same partitions with the same indexes, foreign
key and guard: `plan`, which finds who is due when and composes the texts, and an INSERT that copies
the kept rows.

    python -m benchmarks.planning --users 1000000 --due 200000 --rounds 3
"""

from __future__ import annotations

import argparse
from functools import partial

from benchmarks import servers
from birthday_cli.db.connect import Connection
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES

_COLUMNS = (
    "user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at,"
    " status, error_message"
)


def run_plan(connection: Connection, due: int) -> None:
    """Plan what is due within the horizon."""
    assert sum(plan(connection, NOW, servers.HORIZON, RULES).new.values()) == due


def keep(connection: Connection) -> None:
    """Keep what was planned, for `run_copy`."""
    connection.execute(
        f"CREATE UNLOGGED TABLE kept AS SELECT {_COLUMNS} FROM message_logs".encode()
    )
    connection.execute("VACUUM ANALYZE kept")


def run_copy(connection: Connection, due: int) -> None:
    """Insert the kept rows."""
    statement = f"INSERT INTO message_logs ({_COLUMNS}) SELECT {_COLUMNS} FROM kept"
    assert connection.execute(statement.encode()).rowcount == due


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    planned: list[float] = []
    copied: list[float] = []
    with (
        servers.postgres_server() as server,
        servers.migrated_database(server, "planning") as connection,
    ):
        servers.add_users(connection, given.users, given.due)
        connection.execute("VACUUM ANALYZE users")
        run_plan(connection, given.due)
        keep(connection)
        for number in range(given.rounds):
            for work, times in sorted(
                ((run_plan, planned), (run_copy, copied)),
                key=lambda turn: turn[0] is run_plan,
                reverse=bool(number % 2),
            ):
                servers.unplan(connection)
                times.append(servers.seconds(partial(work, connection, given.due)))
            servers.tell(f"round {number + 1}: plan {planned[-1]:.2f} s, copy {copied[-1]:.2f} s")
    ratios = [copy / own for own, copy in zip(planned, copied, strict=True)]
    servers.report(
        "planning",
        users=given.users,
        due=given.due,
        plan_rows_per_second=round(given.due / servers.median(planned)),
        copy_rows_per_second=round(given.due / servers.median(copied)),
        ratio=servers.median(ratios),
        ratios=[round(ratio, 3) for ratio in ratios],
    )


if __name__ == "__main__":
    main()
