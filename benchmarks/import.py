"""How fast `users import` is, against a bare COPY of the same file, in one run.

Each works on a fresh database of one server, in turn, with everything that `migrate` makes: its
indexes, constraints and triggers. The bare COPY streams the file over a connection that is open
already. The import is the program as an operator starts it, so its figure holds the start of the
interpreter, too. Then the import runs again, over the same file, and changes nothing.

    python -m benchmarks.import --rows 1000000 --rounds 3

A private server is started for it. With DATABASE_URL its databases are made on that one.
"""

# ruff: noqa: N999 (nobody imports this, and so the command says what it measures)
from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks import servers
from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.domain import zones
from birthday_cli.domain.user import COLUMNS
from birthday_cli.pipeline.schema.migrate import migrate

_FIRST = ("Aisha", "Andrés", "Chloé", "Dilnoza", "Emeka", "João", "Lucía", "Priya", "Wei", "Zoë")
_LAST = ("Abubakar", "D'Souza", "Fernández", "Gurung", "Kim", "Müller", "O'Brien", "Öztürk")
_DAYS = [f"{date(2000, 1, 1) + timedelta(days=day):%m-%d}" for day in range(366)]
_COPY = f"COPY users ({', '.join(COLUMNS)}) FROM STDIN (FORMAT csv, HEADER)"
_BLOCK = 2**16


def write_users(path: Path, rows: int) -> None:
    """Write so many valid users, of all zones and days; a fifth lacks each optional field."""
    rng = random.Random(1)
    names = sorted(zones.names())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _ in range(rows):
            first, last, zone = rng.choice(_FIRST), rng.choice(_LAST), rng.choice(names)
            optional = (rng.choice(_DAYS), rng.choice(_DAYS), zone.split("/")[-1], "A country")
            writer.writerow(
                (
                    first,
                    last,
                    f"{first}.{last}.{rng.getrandbits(56):x}@example.com".lower(),
                    zone,
                    *(value if rng.random() < 0.8 else "" for value in optional),
                )
            )


@contextmanager
def fresh_database(server: str, name: str) -> Iterator[str]:
    """Make a database with everything that `migrate` makes; yield its URL, and drop it after."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        url = make_conninfo("", **conninfo_to_dict(server, dbname=name))
        try:
            migrate(Settings(database_url=url), datetime.now(UTC))
            connection.execute("CHECKPOINT")
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def run_copy(connection: Connection, path: Path) -> None:
    """Stream the file into the table."""
    with path.open("rb") as file, connection.cursor().copy(_COPY.encode()) as copy:
        while block := file.read(_BLOCK):
            copy.write(block)


def run_import(url: str, path: Path, expected: dict[str, int]) -> tuple[float, int]:
    """Run the program; return the seconds it took, and the kB of memory it had at its peak."""
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "birthday_cli.cli.main", "users", "import", str(path), "--json"],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, _peak(process.pid))
        time.sleep(0.02)
    took = time.perf_counter() - started
    out, _ = process.communicate()
    done = json.loads(out)
    if not expected.items() <= done.items():
        sys.exit(f"expected {expected}, and the import did {done}")
    return took, peak


def _peak(pid: int) -> int:
    # Not what wait4() returns: that holds our own memory, from before the program replaced us.
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0  # it has ended


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if url := os.environ.get("DATABASE_URL"):
        measure(url, given.rows, given.rounds)
    else:
        with servers.postgres_server() as server:
            measure(server.url(), given.rows, given.rounds)


def measure(server: str, rows: int, rounds: int) -> None:
    """Measure on a server where databases may be made; print one JSON line."""
    copied: list[float] = []
    imported: list[float] = []
    again: list[float] = []
    peaks: list[int] = []

    def copy() -> None:
        with (
            fresh_database(server, "benchmark_copy") as url,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            copied.append(servers.seconds(lambda: run_copy(connection, path)))

    def run_twice() -> None:
        with fresh_database(server, "benchmark_import") as url:
            took, peak = run_import(url, path, {"added": rows})
            imported.append(took)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE users")
                connection.execute("CHECKPOINT")
            took, second_peak = run_import(url, path, {"unchanged": rows})
            again.append(took)
            peaks.extend((peak, second_peak))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        servers.tell(f"writing {rows:,} users")
        write_users(path, rows)
        for number in range(rounds):
            for work in (copy, run_twice) if number % 2 else (run_twice, copy):
                work()
            servers.tell(
                f"round {number + 1}: copy {copied[-1]:.2f} s, import {imported[-1]:.2f} s,"
                f" again {again[-1]:.2f} s, {max(peaks) / 1000:.0f} MB"
            )
    ratios = [one / other for one, other in zip(copied, imported, strict=True)]
    servers.report(
        "import",
        rows=rows,
        copy_seconds=servers.median(copied),
        import_seconds=servers.median(imported),
        second_import_seconds=servers.median(again),
        import_rows_per_second=round(rows / servers.median(imported)),
        second_import_rows_per_second=round(rows / servers.median(again)),
        ratio=servers.median(ratios),
        ratios=[round(ratio, 3) for ratio in ratios],
        import_memory_peak_mb=round(max(peaks) / 1000, 1),
    )


if __name__ == "__main__":
    main()
