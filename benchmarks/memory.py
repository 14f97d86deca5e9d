"""How much memory `bdaysched schedule --plan` takes, however many it plans.

The whole command in a process of its own, for each size from nothing; the figure is the most that
was resident at any time, as the operating system counted it.

    python -m benchmarks.memory --sizes 10000 200000 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from benchmarks import servers
from tests.facts import NOW

# Runs the program and then says what its largest memory was, in kB (getrusage(2), on Linux).
_MEASURED = """
import json, resource, subprocess, sys
subprocess.run([sys.executable, "-m", "birthday_cli.cli.main", "schedule", "--plan"], check=True)
print(json.dumps(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 200_000, 1_000_000])
    given = parser.parse_args()
    megabytes = {}
    with servers.postgres_server() as server:
        for size in given.sizes:
            name = f"memory{size}"
            with servers.migrated_database(server, name) as connection:
                servers.add_users(connection, size, size, noted=True)
                environment = {
                    **os.environ,
                    "DATABASE_URL": server.url(name),
                    "BDAYSCHED_NOW": NOW.isoformat(),
                }
                done = subprocess.run(  # noqa: S603
                    [sys.executable, "-c", _MEASURED],
                    env=environment,
                    check=True,
                    stdout=subprocess.PIPE,
                )
                assert servers.count(connection, "message_logs") == size
            megabytes[str(size)] = round(json.loads(done.stdout) * 1024 / 1e6, 1)
            servers.tell(f"{size:,} planned: {megabytes[str(size)]} MB")
    servers.report("memory", megabytes=megabytes)


if __name__ == "__main__":
    main()
