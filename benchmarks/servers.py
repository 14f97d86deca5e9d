"""What the benchmarks share: the suite's private servers, users by the million, one JSON line."""

from __future__ import annotations

import json
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.pipeline.migrate import migrate
from tests.facts import NOW
from tests.servers import postgres, process, rabbitmq

HORIZON = timedelta(hours=48)
DUE_ON = (NOW + timedelta(days=1)).date()
"""The local date on which all who are due celebrate: within the horizon in every zone."""

# Statistics and dead rows are then what a benchmark says they are.
_CONFIGURATION = """
autovacuum = off
"""

# The k-th of those who are due is the same person however many others there are, and they lie
# scattered among these. Nobody else celebrates anywhere near the horizon.
_FILL = """
INSERT INTO users (
    id, first_name, last_name, email, timezone, birthday_date, anniversary_date
)
SELECT
    md5(name)::uuid, 'Ada ' || name, 'Lovelace', name || '@example.com',
    zones.names[1 + abs(hashint8(k)) %% cardinality(zones.names)],
    to_char(CASE WHEN is_due THEN day ELSE day + 30 + (k %% 300)::integer END, 'MM-DD'),
    to_char(day + 30 + (k %% 299)::integer, 'MM-DD')
FROM generate_series(1, %(users)s::bigint) AS n
CROSS JOIN (SELECT %(day)s::date AS day, %(users)s / %(due)s AS step) AS given
CROSS JOIN (SELECT array_agg(name ORDER BY name) AS names FROM time_zones) AS zones
CROSS JOIN LATERAL (SELECT n %% step = 0 AND n / step <= %(due)s AS is_due) AS whether
CROSS JOIN LATERAL (SELECT CASE WHEN is_due THEN n / step ELSE n END AS k) AS number
CROSS JOIN LATERAL (SELECT CASE WHEN is_due THEN 'due' ELSE 'other' END || k AS name) AS person
"""


@contextmanager
def postgres_server(configuration: str = "") -> Iterator[postgres.PostgresServer]:
    """Yield a private server, gone afterwards."""
    # A terminated benchmark stops its servers, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with process.folder("benchmark") as folder:
        server = postgres.PostgresServer(postgres._system_binaries(), folder)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION + configuration)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def rabbitmq_node() -> Iterator[rabbitmq.RabbitNode]:
    """Yield a private RabbitMQ node, gone afterwards; on disk, since a confirm means that."""
    with process.folder("benchmark", on_disk=True) as folder:
        node = rabbitmq.RabbitNode(folder)
        try:
            node.start()
            yield node
        finally:
            node.remove()


@contextmanager
def migrated_database(server: postgres.PostgresServer, name: str) -> Iterator[Connection]:
    """Make a database with everything that `migrate` makes; yield an autocommit connection."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    migrate(Settings(database_url=server.url(name)), datetime.now(UTC))
    session = "-c TimeZone=UTC -c DateStyle=ISO"
    with psycopg.connect(server.url(name), autocommit=True, options=session) as connection:
        yield connection


def add_users(connection: Connection, users: int, due: int, noted: bool = False) -> None:
    """Add users, of whom so many are due on DUE_ON, without statistics.

    Unless they are to be `noted` as new, it is as if planning had looked at them already.
    """
    tell(f"adding {users:,} users")
    connection.execute(_FILL, {"users": users, "due": due, "day": DUE_ON})
    if not noted:
        connection.execute("TRUNCATE changed_users")


def unplan(connection: Connection) -> None:
    """Put the database back to before anything was planned, and make it settle."""
    connection.execute("TRUNCATE message_logs, message_guard, planned_mornings")
    connection.execute("CHECKPOINT")


def count(connection: Connection, table: str) -> int:
    """Return how many rows a table has."""
    row: Any = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0])


def seconds(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median(values: Sequence[float]) -> float:
    """Return the median, rounded to three significant places after the point."""
    return round(statistics.median(values), 3)


def tell(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def report(benchmark: str, **figures: object) -> None:
    """Print the one line of result."""
    print(json.dumps({"benchmark": benchmark, **figures}))
