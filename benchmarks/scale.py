"""Whether planning follows the work or the table: the same due users among few and among many.

`plan`, in turn, in two databases of one server: the same 10,000 people are due, among 100,000 users
and among 3,000,000. The ratio is of the medians; 1 means that the others cost nothing.

    python -m benchmarks.scale --few 100000 --many 3000000 --due 10000 --rounds 5

`copy` is the plainest INSERT of the same rows, which looks for nobody: what the many still cost it,
the foreign key does, which locks each user's row. Those lie together among few, and each on a page
of its own among many, of which the server holds what --shared-buffers has room for.
"""

from __future__ import annotations

import argparse
from functools import partial

from benchmarks import servers
from benchmarks.planning import keep, run_copy, run_plan
from birthday_cli.db.connect import Connection


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=3_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared-buffers", default="128MB", help="PostgreSQL's own default: 128MB")
    given = parser.parse_args()
    figures: dict[str, float] = {}
    with (
        servers.postgres_server(f"shared_buffers = {given.shared_buffers}\n") as server,
        servers.migrated_database(server, "few") as few,
        servers.migrated_database(server, "many") as many,
    ):
        for connection, users in (few, given.few), (many, given.many):
            servers.add_users(connection, users, given.due)
            run_plan(connection, given.due)
            keep(connection)
        for what, work in (
            ("without_statistics", run_plan),
            ("analyzed", run_plan),
            ("copy", run_copy),
        ):
            if what == "analyzed":
                few.execute("VACUUM ANALYZE users")
                many.execute("VACUUM ANALYZE users")
            times: dict[Connection, list[float]] = {few: [], many: []}
            for number in range(given.rounds):
                for connection in (few, many) if number % 2 else (many, few):
                    servers.unplan(connection)
                    times[connection].append(servers.seconds(partial(work, connection, given.due)))
            one, other = servers.median(times[few]), servers.median(times[many])
            servers.tell(f"{what}: {one} s among few, {other} s among many")
            figures[f"ratio_{what}"] = round(other / one, 3)
            figures[f"seconds_among_few_{what}"] = one
            figures[f"seconds_among_many_{what}"] = other
    servers.report(
        "scale",
        few=given.few,
        many=given.many,
        due=given.due,
        shared_buffers=given.shared_buffers,
        **figures,
    )


if __name__ == "__main__":
    main()
