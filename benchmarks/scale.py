"""Whether planning follows the work or the table: the same due users among few and among many.

`plan`, in turn, in two databases of one server: the same 10,000 people are due, among 100,000 users
and among 3,000,000. The ratio is of the medians; 1 means that the others cost nothing.

    python -m benchmarks.scale --few 100000 --many 3000000 --due 10000 --rounds 5
"""

from __future__ import annotations

import argparse

from benchmarks import servers
from birthday_cli.db.connect import Connection
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES


def measure(connection: Connection, due: int) -> float:
    """Plan from nothing; return how many seconds that took."""
    servers.unplan(connection)

    def work() -> None:
        assert sum(plan(connection, NOW, servers.HORIZON, RULES).new.values()) == due

    return servers.seconds(work)


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=3_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    figures: dict[str, float] = {}
    with (
        servers.postgres_server() as server,
        servers.migrated_database(server, "few") as few,
        servers.migrated_database(server, "many") as many,
    ):
        servers.add_users(few, given.few, given.due)
        servers.add_users(many, given.many, given.due)
        for statistics in ("none", "analyzed"):
            if statistics == "analyzed":
                few.execute("VACUUM ANALYZE users")
                many.execute("VACUUM ANALYZE users")
            times: dict[Connection, list[float]] = {few: [], many: []}
            for number in range(given.rounds):
                for connection in (few, many) if number % 2 else (many, few):
                    times[connection].append(measure(connection, given.due))
            one, other = servers.median(times[few]), servers.median(times[many])
            servers.tell(f"statistics {statistics}: {one} s among few, {other} s among many")
            figures[f"ratio_{statistics}"] = round(other / one, 3)
            figures[f"seconds_among_few_{statistics}"] = one
            figures[f"seconds_among_many_{statistics}"] = other
    servers.report("scale", few=given.few, many=given.many, due=given.due, **figures)


if __name__ == "__main__":
    main()
