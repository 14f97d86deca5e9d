"""What a `schedule` costs the database when there is nothing new to do.

A million users, 200,000 messages planned, and the whole command, as cron calls it every minute:
plan, recover, dispatch. The time is the server's own account of it, by pg_stat_statements: planning
and execution of every statement of the command's sessions.

    python -m benchmarks.idle --users 1000000 --due 200000 --rounds 5

`vacuumed` is as autovacuum leaves things, `fresh` right after the import and the first run, with
the notes of a million new users dead in changed_users.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

from benchmarks import servers
from birthday_cli.db.connect import Connection
from tests.facts import NOW

_PRELOADED = """
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_planning = on
"""
_COMMAND = [sys.executable, "-m", "birthday_cli.cli.main", "schedule"]


def schedule(url: str, minutes: int) -> float:
    """Run `bdaysched schedule`, so many minutes later; return how many seconds that took."""
    now = NOW + timedelta(minutes=minutes)
    environment = {**os.environ, "DATABASE_URL": url, "BDAYSCHED_NOW": now.isoformat()}
    return servers.seconds(
        lambda: subprocess.run(_COMMAND, env=environment, check=True, stderr=subprocess.DEVNULL)  # noqa: S603
    )


def measure(connection: Connection, url: str, minutes: int) -> dict[str, Any]:
    """Run `schedule` once; return what it cost, in milliseconds."""
    connection.execute("SELECT pg_stat_statements_reset()")
    wall = schedule(url, minutes)
    rows: list[Any] = connection.execute(
        "SELECT total_plan_time + total_exec_time, query FROM pg_stat_statements"
        " WHERE query NOT LIKE '%pg_stat_statements%' ORDER BY 1 DESC"
    ).fetchall()
    return {
        "database_ms": round(sum(took for took, _ in rows), 1),
        "wall_ms": round(wall * 1000),
        "longest": [f"{took:.1f} ms: {' '.join(text.split())[:70]}" for took, text in rows[:3]],
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with (
        servers.postgres_server(_PRELOADED) as server,
        servers.migrated_database(server, "idle") as connection,
    ):
        url = server.url("idle")
        connection.execute("CREATE EXTENSION pg_stat_statements")
        servers.add_users(connection, given.users, given.due, noted=True)
        connection.execute("VACUUM ANALYZE users")
        first = schedule(url, 0)
        servers.tell(f"first run, with everything to do: {first:.1f} s")
        assert servers.count(connection, "message_logs") == given.due
        assert servers.count(connection, "changed_users") == 0
        found = {}
        for state in ("fresh", "vacuumed"):
            if state == "vacuumed":
                connection.execute("VACUUM ANALYZE")
            found[state] = [
                measure(connection, url, minutes) for minutes in range(1, given.rounds + 1)
            ]
            servers.tell(f"{state}: {[run['database_ms'] for run in found[state]]} ms")
    servers.report(
        "idle",
        users=given.users,
        due=given.due,
        first_run_seconds=round(first, 1),
        **{
            f"{state}_{figure}": servers.median([run[figure] for run in runs])
            for state, runs in found.items()
            for figure in ("database_ms", "wall_ms")
        },
        longest=found["vacuumed"][-1]["longest"],
        longest_fresh=found["fresh"][-1]["longest"],
    )


if __name__ == "__main__":
    main()
